// Writes wall time as RFC 3339 in UTC with microseconds: "2026-11-27T18:05:31.000123Z". A Timestamp keeps the text of
// the last second, so that the calendar is worked out once a second. A value that its user owns; one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace albatross {

class Timestamp {
 public:
  // `wall`: nanoseconds since 1970. The text is valid until the next call.
  std::string_view text(Nanos wall);

 private:
  static constexpr std::size_t kSeconds = 19;  // "2026-11-27T18:05:31"
  Nanos second_ = ~Nanos{0};
  char text_[kSeconds + 8] = {};
};

// Nanoseconds since 1970 of such a text; seconds and their fraction may be left out. nullopt if it is none.
std::optional<Nanos> parse_timestamp(const std::string& text);

// A duration for people to read, with millisecond precision: "2.016 s", "30 s".
std::string duration_text(Nanos duration);

// Writes six decimal digits, with zeros in front. Returns the end.
inline char* write_six_digits(char* out, std::uint32_t n) {
  for (int i = 5; i >= 0; --i, n /= 10) out[i] = static_cast<char>('0' + n % 10);
  return out + 6;
}

}  // namespace albatross
