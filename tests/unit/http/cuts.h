// Feeds the same bytes whole, byte by byte, cut once at every position and cut at random, and compares.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/http/codec_recorder.h"

namespace albatross::http_test {

inline Run same_however_cut(const Setting& setting, std::string_view bytes) {
  Run whole = run(setting, bytes);
  auto same = [&](const char* how, const std::vector<std::string_view>& pieces) {
    std::string text = run(setting, pieces).text;
    if (text == whole.text) return true;
    INFO(how << ": " << escaped(bytes));
    CHECK(text == whole.text);
    return false;
  };
  if (!same("byte by byte", single_bytes(bytes))) return whole;
  if (bytes.size() <= 1000) {
    for (std::size_t i = 1; i < bytes.size(); ++i) {
      if (!same(("cut at " + std::to_string(i)).c_str(), {bytes.substr(0, i), bytes.substr(i)})) return whole;
    }
  }
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    if (!same("random cuts", random_cuts(bytes, seed, seed % 2 == 0 ? 7 : 40))) return whole;
  }
  return whole;
}

}  // namespace albatross::http_test
