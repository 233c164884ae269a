#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "http/header_id.h"

namespace albatross::http_test {
namespace {

constexpr int kCount = static_cast<int>(HeaderId::kCount);

std::string upper(std::string s) {
  for (char& c : s) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return s;
}

}  // namespace

TEST_CASE("every known field name has its own id, in any case") {
  std::set<std::string> seen;
  for (int i = 1; i < kCount; ++i) {
    auto id = static_cast<HeaderId>(i);
    std::string name(header_name(id));
    CAPTURE(name);
    CHECK(seen.insert(name).second);
    CHECK(name == [&] {
      std::string low = name;
      for (char& c : low) c = ascii_lower(c);
      return low;
    }());
    CHECK(header_id(name) == id);
    CHECK(header_id(upper(name)) == id);
    for (std::size_t k = 0; k < name.size(); ++k) {
      std::string mixed = name;
      mixed[k] = upper(name.substr(k, 1))[0];
      CHECK(header_id(mixed) == id);
    }
  }
}

TEST_CASE("names that are nearly known are unknown") {
  for (int i = 1; i < kCount; ++i) {
    std::string name(header_name(static_cast<HeaderId>(i)));
    for (std::string near :
         {name + "x", "x" + name, name.substr(1), name.substr(0, name.size() - 1), name + " ", name + "-"}) {
      HeaderId found = header_id(near);
      CAPTURE(near);
      CHECK((found == HeaderId::kOther || header_name(found) == near));
    }
    for (std::size_t k = 0; k < name.size(); ++k) {
      for (int bit : {0x20, 0x80, 0x01}) {
        std::string near = name;
        near[k] = static_cast<char>(near[k] ^ bit);
        HeaderId found = header_id(near);
        CAPTURE(near);
        CHECK((found == HeaderId::kOther || equals_ignore_case(header_name(found), near)));
        // A hyphen and its neighbour by one bit are not the same letter.
        if (name[k] == '-') CHECK(found != static_cast<HeaderId>(i));
      }
    }
  }
  CHECK(header_id("") == HeaderId::kOther);
  CHECK(header_id("\x80") == HeaderId::kOther);
  CHECK(header_id(std::string(70000, 'h')) == HeaderId::kOther);
  CHECK(header_id("content_length") == HeaderId::kOther);
  CHECK(header_id("x-authorization") == HeaderId::kOther);
}

TEST_CASE("only ASCII letters fold") {
  CHECK(equals_ignore_case("AbZ", "aBz"));
  CHECK_FALSE(equals_ignore_case("a", "ab"));
  CHECK(equals_ignore_case("", ""));
  for (int c = 0; c < 256; ++c) {
    for (int d = 0; d < 256; ++d) {
      bool letters = (c | 0x20) == (d | 0x20) && (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 128 && d < 128;
      char x = static_cast<char>(c), y = static_cast<char>(d);
      if (equals_ignore_case({&x, 1}, {&y, 1}) != (c == d || letters)) FAIL("bytes " << c << " and " << d);
    }
  }
}

}  // namespace albatross::http_test
