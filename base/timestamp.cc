#include "base/timestamp.h"

#include "base/text.h"

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

std::optional<Nanos> parse_timestamp(const std::string& text) {
  std::tm tm{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M", &tm);
  if (rest != nullptr && *rest == ':') rest = strptime(rest, ":%S", &tm);
  if (rest == nullptr) return std::nullopt;
  Nanos fraction = 0;
  if (*rest == '.') {
    ++rest;
    for (Nanos digit = kSecond / 10; is_digit(*rest); digit /= 10) {
      fraction += static_cast<Nanos>(*rest++ - '0') * digit;
    }
  }
  const std::time_t seconds = timegm(&tm);
  if (std::string_view(rest) != "Z" || seconds < 0) return std::nullopt;
  return static_cast<Nanos>(seconds) * kSecond + fraction;
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
