// One value of a condition, compiled: the cheapest comparison that does what the pattern says.
//
// A TextMatcher owns its text, is const after compile and shared by all threads; regexes are only numbered here, the
// objects belong to each worker's RegexBank.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"

namespace albatross {

// `*` any run, `?` one byte, `\` takes the next character as it is. Quadratic at worst, never exponential.
bool wildcard_matches(std::string_view pattern, std::string_view text);
// Whether text is `prefix` or lies below it: "/v2" has "/v2/x", not "/v2x"; "/v2/" has "/v2/x", not "/v2".
bool is_segment_prefix(std::string_view prefix, std::string_view text);

struct TextMatcher {
  enum class Shape : std::uint8_t { kAny, kExact, kPrefix, kSegmentPrefix, kSuffix, kContains, kWildcard, kRegex };
  enum class Subject : std::uint8_t { kHost, kPath, kOther };

  Shape shape = Shape::kAny;
  std::uint32_t regex = 0;  // kRegex: its number; set by the caller
  std::string text;         // kRegex: the literal before it, which takes part in no group; mostly empty

  // Host texts come out in lower case, to be matched against a lower-case host without port or trailing dot.
  static TextMatcher compile(const config::Pattern& pattern, Subject subject);
  // Any shape but kRegex.
  bool matches(std::string_view subject) const;
};

}  // namespace albatross
