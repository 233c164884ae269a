// Text functions that several rooms use: classes of ASCII characters, case, tokens, blanks, hexadecimal digits, UTF-8.
// Bytes above 0x7f belong to no class and have no case. Pure functions over the caller's bytes, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace albatross {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// A C0 control, HTAB included, or DEL.
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

inline std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

// The comparison for field names, schemes and hosts.
inline bool equals_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

// One or more digits and nothing else.
constexpr bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

inline constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> t{};
  for (std::size_t c = 0; c < 128; ++c) t[c] = is_alpha(static_cast<char>(c)) || is_digit(static_cast<char>(c));
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) t[static_cast<unsigned char>(c)] = true;
  return t;
}();
// tchar and token of RFC 9110 §5.6.2.
constexpr bool is_token_byte(char c) { return kTokenBytes[static_cast<unsigned char>(c)]; }
constexpr bool is_token(std::string_view text) {
  for (char c : text) {
    if (!is_token_byte(c)) return false;
  }
  return !text.empty();
}

// The text without the spaces and tabs around it (OWS, RFC 9110 §5.6.3).
constexpr std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

inline constexpr char kLowerHexDigits[] = "0123456789abcdef";
inline constexpr char kUpperHexDigits[] = "0123456789ABCDEF";

// The value of a hexadecimal digit of either case; -1 for any other character.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
// Writes the lowest `digits` (1 to 16) hexadecimal digits of `n`, in lower case. Returns the end.
constexpr char* write_hex(char* out, std::uint64_t n, int digits) {
  for (int i = digits - 1; i >= 0; --i) *out++ = kLowerHexDigits[n >> (4 * i) & 15];
  return out;
}
// Writes three bytes, "%2F" for '/' (RFC 3986 §2.1). Returns the end.
constexpr char* write_percent(char* out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  *out++ = '%';
  *out++ = kUpperHexDigits[byte >> 4];
  *out++ = kUpperHexDigits[byte & 15];
  return out;
}

// Whether no byte is above 0x7f.
inline bool is_ascii(std::string_view text) {
  std::uint64_t seen = 0, word = 0;
  for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
    std::memcpy(&word, text.data(), sizeof word);
    seen |= word;
  }
  for (const char c : text) seen |= static_cast<std::uint64_t>(static_cast<unsigned char>(c));
  return (seen & 0x8080808080808080) == 0;
}

// The length of the UTF-8 sequence at the start of the text (RFC 3629), 1 to 4; 0 if there is none.
std::size_t utf8_length(std::string_view text);
// Whether all of the text is UTF-8.
bool is_utf8(std::string_view text);

}  // namespace albatross
