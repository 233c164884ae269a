// Reads the text of one scalar as a duration, a size, a number, an address or a name. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.h"

namespace albatross::config {

// A value; or what is wrong with the text, and what to write instead.
template <class T>
struct Parsed {
  std::optional<T> value;
  std::string error;
  std::string hint;

  Parsed(T v) : value(std::move(v)) {}  // NOLINT(google-explicit-constructor): a value is returned as it is
  static Parsed fail(std::string error, std::string hint = {}) { return Parsed(std::move(error), std::move(hint)); }

 private:
  Parsed(std::string e, std::string h) : error(std::move(e)), hint(std::move(h)) {}
};

// `250ms`, `15s`, `1.5m` or `1h`, exact to the millisecond.
Parsed<Duration> parse_duration(std::string_view text);
std::string to_text(Duration value);  // in the largest unit that divides it

// `512B`, `64KiB`, `1MiB` or `2GiB`, with whole numbers.
Parsed<std::uint64_t> parse_size(std::string_view text);
std::string size_to_text(std::uint64_t bytes);

// Decimal digits; `010` is ten.
Parsed<std::uint64_t> parse_number(std::string_view text);

// `:port`, `host:port`, `[v6]:port` or `unix:/path`. Only a bind may have an empty host. A relative path stays
// relative.
struct Address {
  Bind::Kind kind = Bind::Kind::kTcp;
  std::string host;  // without brackets, with a zone after `%`; kUnix: the path
  std::uint16_t port = 0;
};
Parsed<Address> parse_address(std::string_view text);
bool is_ip(const std::string& host);  // IPv4 or IPv6, without brackets; may have a zone

// An address or CIDR block of either family. Gives "address/bits" with the host bits cleared.
Parsed<std::string> parse_network(std::string_view text);

// `2xx`, `204` or `200-299`: the first and the last code.
Parsed<std::pair<std::uint16_t, std::uint16_t>> parse_codes(std::string_view text);
std::string codes_to_text(std::pair<std::uint16_t, std::uint16_t> codes);

bool is_name(std::string_view text);  // [A-Za-z0-9][A-Za-z0-9._-]{0,62}

// A condition's shorthand: a literal, a wildcard with `*` and `?`, a regex after `~`, or one that ignores case after
// `~*`. Outside a regex, `\` escapes the next character.
Parsed<Pattern> parse_pattern(std::string_view text);

// The text in quotation marks, for a message; only the first 64 bytes of a long one.
std::string quote(std::string_view text);

}  // namespace albatross::config
