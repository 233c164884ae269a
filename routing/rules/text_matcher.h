// One value of a condition, compiled to the cheapest comparison that is equivalent to its pattern.
//
// A TextMatcher owns its text and is const after compile(), shared by all threads. For a regex it has only the number;
// the compiled regex is in each worker's RegexBank.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"

namespace albatross {

// `*` matches any bytes, `?` one byte, and `\` makes the next character literal. Takes quadratic time at worst.
bool wildcard_matches(std::string_view pattern, std::string_view text);
// Whether the text is `prefix` or is below it: "/v2/x" is below "/v2", "/v2x" is not; "/v2" is not below "/v2/".
bool is_segment_prefix(std::string_view prefix, std::string_view text);
// Whether the text is a decimal integer, with or without "-", from `least` to `most`.
bool is_in_range(std::int64_t least, std::int64_t most, std::string_view text);

struct TextMatcher {
  enum class Shape : std::uint8_t {
    kAny,
    kExact,
    kPrefix,
    kSegmentPrefix,
    kSuffix,
    kContains,
    kWildcard,
    kRegex,
    kRange
  };
  enum class Subject : std::uint8_t { kHost, kPath, kOther };

  Shape shape = Shape::kAny;
  std::uint32_t regex = 0;           // kRegex: its number; set by the caller
  std::int64_t least = 0, most = 0;  // kRange
  std::string text;                  // what is compared; kRegex: the literal before it, in no group; often empty

  // A host's text becomes lower case: it is compared with a lower-case host without port and trailing dot.
  static TextMatcher compile(const config::Pattern& pattern, Subject subject);
  // For any shape but kRegex.
  bool matches(std::string_view subject) const;
};

}  // namespace albatross
