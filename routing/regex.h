// The patterns of a rule table that are regexes: their sources, numbered, and each worker's own compiled copies.
//
// RE2 reads raw bytes here (Latin-1), so no byte makes a pattern skip a value. RegexTexts is built once and then const and
// shared; a RegexBank belongs to one worker, because an RE2's DFA cache has a lock.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross {

// Bytes that RE2 may use, compiled program and DFA cache together.
struct RegexBudget {
  std::int64_t pattern = std::int64_t{8} << 20;
  std::int64_t set = std::int64_t{32} << 20;
};

RE2::Options regex_options(bool ignore_case, std::int64_t max_mem);

// Never a null pointer, which RE2 takes for an unset group.
inline re2::StringPiece piece(std::string_view text) {
  return text.empty() ? re2::StringPiece("", 0) : re2::StringPiece(text.data(), text.size());
}

// What every match must begin with: "/svc1/v" of `^/svc1/v[0-9]+`. Empty when nothing is certain.
std::string literal_prefix(std::string_view regex);

class RegexTexts {
 public:
  struct Text {
    std::string source;
    bool ignore_case = false;
    int groups = 0;
  };

  // The number of this pattern, the same for equal ones. What RE2 refuses is an error at the pattern's place.
  std::uint32_t add(const config::Pattern& pattern, bool ignore_case, const RegexBudget& budget, const std::string& path,
                    config::Diagnostics& out);

  const Text& operator[](std::uint32_t number) const { return texts_[number]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(texts_.size()); }

 private:
  std::vector<Text> texts_;
  std::map<std::pair<std::string, bool>, std::uint32_t> numbers_;
};

class RegexBank {
 public:
  RegexBank(const RegexTexts& texts, const RegexBudget& budget);

  bool matches(std::uint32_t number, std::string_view text) const {
    return regexes_[number]->Match(piece(text), 0, text.size(), RE2::UNANCHORED, nullptr, 0);
  }
  const RE2& operator[](std::uint32_t number) const { return *regexes_[number]; }

 private:
  std::vector<std::unique_ptr<RE2>> regexes_;
};

}  // namespace albatross
