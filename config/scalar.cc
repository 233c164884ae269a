#include "config/scalar.h"

#include <charconv>
#include <limits>

#include "base/text.h"

namespace albatross::config {
namespace {

std::size_t count_digits(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  return n;
}

struct Unit {
  std::string_view name;
  std::int64_t scale;
};
constexpr Unit kDurations[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr Unit kSizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};

template <std::size_t N>
const Unit* find_unit(const Unit (&units)[N], std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

template <std::size_t N>
std::string with_unit(const Unit (&units)[N], std::int64_t value, std::string_view zero) {
  if (value == 0) return std::string(zero);
  for (const Unit& unit : units) {
    if (value % unit.scale == 0) return std::to_string(value / unit.scale) + std::string(unit.name);
  }
  return std::to_string(value);
}

// `64KB`, `64k`, `64 KiB`: the binary unit that was meant.
std::string meant_size(std::string_view digits, std::string_view unit) {
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const std::string first = ascii_lower(unit.substr(0, 1));
  for (const Unit& known : kSizes) {
    if (!first.empty() && ascii_lower(known.name).starts_with(first)) {
      return "did you mean " + std::string(digits) + std::string(known.name) + "?";
    }
  }
  return "write it like 64KiB or 1MiB";
}

}  // namespace

std::string quote(std::string_view text) {
  constexpr std::size_t kShown = 64;
  if (text.size() <= kShown) return '"' + std::string(text) + '"';
  return '"' + std::string(text.substr(0, kShown)) + "…\"";
}

Parsed<Duration> parse_duration(std::string_view text) {
  using Out = Parsed<Duration>;
  const std::size_t whole = count_digits(text);
  std::string_view rest = text.substr(whole);
  std::string_view fraction;
  if (rest.starts_with('.')) {
    fraction = rest.substr(1, count_digits(rest.substr(1)));
    rest.remove_prefix(1 + fraction.size());
  }
  if (whole > 0 && rest.empty()) {
    const std::string shown(text);
    return Out::fail("a duration needs a unit", text == "0" ? "write 0s" : "write " + shown + "s or " + shown + "ms");
  }
  const Unit* unit = find_unit(kDurations, rest);
  const bool dangling = fraction.empty() && text.substr(whole).starts_with('.');
  if (whole == 0 || unit == nullptr || dangling) {
    return Out::fail(quote(text) + " is not a duration", "write it like 250ms, 15s, 5m or 1h");
  }
  if (whole > 9 || fraction.size() > 9) return Out::fail("the duration has too many digits");
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + whole, value);
  value *= unit->scale;
  if (!fraction.empty()) {
    std::int64_t part = 0;
    std::from_chars(fraction.data(), fraction.data() + fraction.size(), part);
    std::int64_t ten = 1;
    for (std::size_t i = 0; i < fraction.size(); ++i) ten *= 10;
    if (part * unit->scale % ten != 0) return Out::fail("finer than a millisecond", "1ms is the finest step");
    value += part * unit->scale / ten;
  }
  return Duration(value);
}

std::string to_text(Duration value) { return with_unit(kDurations, value.count(), "0s"); }

Parsed<std::uint64_t> parse_size(std::string_view text) {
  using Out = Parsed<std::uint64_t>;
  const std::size_t digits = count_digits(text);
  const std::string_view name = text.substr(digits);
  if (digits > 0 && name.empty()) {
    return Out::fail("a size needs a unit", text == "0" ? "write 0B" : "write it like 64KiB or 1MiB");
  }
  const Unit* unit = find_unit(kSizes, name);
  if (digits == 0 || unit == nullptr) {
    const std::string hint =
        digits == 0 || name.starts_with('.') ? "write it like 64KiB or 1MiB" : meant_size(text.substr(0, digits), name);
    return Out::fail(quote(text) + " is not a size", hint);
  }
  if (digits > 9) return Out::fail("the size has too many digits");
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + digits, value);
  return value * static_cast<std::uint64_t>(unit->scale);
}

std::string size_to_text(std::uint64_t bytes) { return with_unit(kSizes, static_cast<std::int64_t>(bytes), "0B"); }

Parsed<std::uint64_t> parse_number(std::string_view text) {
  using Out = Parsed<std::uint64_t>;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return Out::fail("the number is too large");
  if (error != std::errc() || end != text.data() + text.size())
    return Out::fail(quote(text) + " is not a whole number");
  return value;
}

Parsed<std::pair<std::uint16_t, std::uint16_t>> parse_codes(std::string_view text) {
  using Out = Parsed<std::pair<std::uint16_t, std::uint16_t>>;
  const auto code = [](std::string_view part) -> std::uint16_t {
    if (part.size() != 3 || count_digits(part) != 3) return 0;
    return static_cast<std::uint16_t>((part[0] - '0') * 100 + (part[1] - '0') * 10 + (part[2] - '0'));
  };
  std::pair<std::uint16_t, std::uint16_t> range;
  if (text.size() == 3 && ascii_lower(text.substr(1)) == "xx" && is_digit(text[0])) {
    const auto base = static_cast<std::uint16_t>((text[0] - '0') * 100);
    range = {base, static_cast<std::uint16_t>(base + 99)};
  } else {
    const std::size_t dash = text.find('-');
    const std::uint16_t low = code(text.substr(0, dash));
    range = {low, dash == std::string_view::npos ? low : code(text.substr(dash + 1))};
  }
  if (range.first < 100 || range.second > 599 || range.first > range.second) {
    return Out::fail(quote(text) + " is not a range of status codes", "write it like 2xx, 204 or 200-399");
  }
  return range;
}

std::string codes_to_text(std::pair<std::uint16_t, std::uint16_t> codes) {
  const auto [first, last] = codes;
  if (first == last) return std::to_string(first);
  if (first % 100 == 0 && last == first + 99) return std::to_string(first / 100) + "xx";
  return std::to_string(first) + '-' + std::to_string(last);
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 63 || (!is_alpha(text[0]) && !is_digit(text[0]))) return false;
  for (const char c : text) {
    if (!is_alpha(c) && !is_digit(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

Parsed<Pattern> parse_pattern(std::string_view text) {
  using Out = Parsed<Pattern>;
  Pattern pattern;
  if (text.starts_with('~')) {
    pattern.kind = Pattern::Kind::kRegex;
    pattern.ignore_case = text.starts_with("~*");
    pattern.text = text.substr(pattern.ignore_case ? 2 : 1);
    if (pattern.text.empty()) return Out::fail("the regex is empty", "write \"*\" to match anything");
    return pattern;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '*' || text[i] == '?') pattern.kind = Pattern::Kind::kWildcard;
    if (text[i] != '\\') {
      pattern.text += text[i];
      continue;
    }
    if (++i == text.size()) return Out::fail("nothing follows the last \\", "write \\\\ for a backslash");
    if (is_alpha(text[i]) || is_digit(text[i])) {
      return Out::fail("\\" + std::string(1, text[i]) + " means nothing outside a regex", "start a regex with ~");
    }
    pattern.text += text[i];
  }
  if (pattern.kind == Pattern::Kind::kWildcard) pattern.text = text;  // its matcher reads the escapes
  return pattern;
}

}  // namespace albatross::config
