#include "base/timestamp.h"

namespace albatross {

std::string_view Timestamp::text(Nanos wall) {
  if (const Nanos second = wall / kSecond; second != second_) {
    second_ = second;
    const auto t = static_cast<std::time_t>(second);
    std::tm tm{};
    gmtime_r(&t, &tm);
    std::strftime(text_, sizeof text_, "%Y-%m-%dT%H:%M:%S", &tm);
    text_[kSeconds] = '.';
    text_[sizeof text_ - 1] = 'Z';
  }
  write_six_digits(text_ + kSeconds + 1, static_cast<std::uint32_t>(wall % kSecond / 1000));
  return {text_, sizeof text_};
}

std::string duration_text(Nanos duration) {
  const Nanos millis = (duration + kMilli / 2) / kMilli;
  std::string text = std::to_string(millis / 1000);
  if (Nanos rest = millis % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    digits.resize(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + " s";
}

}  // namespace albatross
