// Addresses to bind and to connect to, and networks.
#include <arpa/inet.h>

#include <array>
#include <charconv>

#include "base/text.h"
#include "config/scalar.h"

namespace albatross::config {
namespace {

bool all_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_ip(int family, const std::string& text) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

// Also accepts the zone of a link-local address, "fe80::1%eth0".
bool is_ip_v6(const std::string& host) {
  constexpr std::size_t kLongestZone = 15;  // IF_NAMESIZE less the NUL
  const std::size_t percent = host.find('%');
  if (percent == std::string::npos) return is_ip(AF_INET6, host);
  const std::string zone = host.substr(percent + 1);
  const bool good = !zone.empty() && zone.size() <= kLongestZone && zone.find_first_of("/% \t") == std::string::npos;
  return good && is_ip(AF_INET6, host.substr(0, percent));
}

bool is_host(const std::string& host) {
  // digits and dots alone can only be meant as an IPv4 address
  if (all_of(host, "0123456789.")) return is_ip(AF_INET, host);
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  return host.size() <= 253 && all_of(host, kAllowed) && host[0] != '.' && host[0] != '-' &&
         host.find("..") == std::string::npos;
}

Parsed<Address> parse_unix(std::string_view path) {
  using Out = Parsed<Address>;
  if (path.empty()) return Out::fail("the path of the unix socket is missing", "write it like unix:/run/app.sock");
  return Address{Bind::Kind::kUnix, std::string(path), 0};
}

Parsed<Address> no_port(std::string_view text) {
  using Out = Parsed<Address>;
  if (is_digits(text)) {
    return Out::fail("a port alone is not an address", "write \":" + std::string(text) + "\"");
  }
  const std::string host(text);
  const bool bare_v6 = text.find(':') != std::string_view::npos;
  const std::string shown = bare_v6 && is_ip(AF_INET6, host) ? "[" + host + "]" : host;
  return Out::fail("the port is missing", "add it, like " + shown.substr(0, 64) + ":8080");
}

}  // namespace

bool is_ip(const std::string& host) { return is_ip(AF_INET, host) || is_ip_v6(host); }

Parsed<Address> parse_address(std::string_view text) {
  using Out = Parsed<Address>;
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  if (text.find("://") != std::string_view::npos) {
    return Out::fail("an address has no scheme", "write " + std::string(text.substr(text.find("://") + 3, 64)));
  }
  if (text.find('/') != std::string_view::npos)
    return Out::fail(quote(text) + " is not an address", "leave the path out");
  Address address;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return Out::fail("the ] is missing", "write it like [::1]:8080");
    address.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!is_ip_v6(address.host)) return Out::fail(quote(address.host) + " is not an IPv6 address");
    if (port.size() < 2 || port[0] != ':') return no_port(text);
    port.remove_prefix(1);
  } else {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == text.size()) return no_port(text.substr(0, colon));
    address.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (is_ip(AF_INET6, std::string(text))) return no_port(text);
    if (address.host.find(':') != std::string::npos) {
      return Out::fail("an IPv6 address stands in brackets",
                       "write [" + address.host.substr(0, 64) + "]:" + std::string(port.substr(0, 5)));
    }
    if (address.host == "*")
      return Out::fail("* is not a host", "write :" + std::string(port.substr(0, 5)) + " for every address");
    if (!address.host.empty() && !is_host(address.host)) {
      return Out::fail(quote(address.host) + " is neither an address nor a host name");
    }
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return Out::fail(quote(port) + " is not a port", "a port is 0 to 65535");
  }
  return address;
}

Parsed<std::string> parse_network(std::string_view text) {
  using Out = Parsed<std::string>;
  const std::size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  const int family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  std::array<unsigned char, 16> bytes{};
  if (host.find('\0') != std::string::npos || inet_pton(family, host.c_str(), bytes.data()) != 1) {
    return Out::fail(quote(text) + " is not a network", "write it like 10.0.0.0/8, 10.0.0.1 or 2001:db8::/32");
  }
  const unsigned most = family == AF_INET ? 32 : 128;
  unsigned bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits > most) {
      return Out::fail(quote(digits) + " is not a prefix length", "it is 0 to " + std::to_string(most));
    }
  }
  for (unsigned i = bits; i < most; ++i) bytes[i / 8] &= static_cast<unsigned char>(~(0x80U >> (i % 8)));
  std::array<char, INET6_ADDRSTRLEN> shown{};
  inet_ntop(family, bytes.data(), shown.data(), shown.size());
  return std::string(shown.data()) + '/' + std::to_string(bits);
}

}  // namespace albatross::config
