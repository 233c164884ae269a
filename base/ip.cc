#include "base/ip.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace albatross {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char z[INET6_ADDRSTRLEN + 1];
  if (text.empty() || text.size() >= sizeof z || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(z, text.data(), text.size());
  z[text.size()] = 0;
  IpAddress a;
  a.valid = true;
  if (inet_pton(AF_INET, z, a.bytes.data()) == 1) return a;
  std::uint8_t v6[16];
  if (inet_pton(AF_INET6, z, v6) != 1) return std::nullopt;
  return from_v6(v6);
}

IpAddress IpAddress::from_v6(const std::uint8_t* v6) {
  static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  IpAddress a;
  a.valid = true;
  a.is_v4 = std::memcmp(v6, kMapped, 12) == 0;
  std::memcpy(a.bytes.data(), a.is_v4 ? v6 + 12 : v6, a.is_v4 ? 4 : 16);
  return a;
}

std::size_t IpAddress::format(char* out) const {
  if (!valid) return 0;
  char z[INET6_ADDRSTRLEN];
  inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes.data(), z, sizeof z);
  std::size_t n = std::strlen(z);
  std::memcpy(out, z, n);
  return n;
}

std::string IpAddress::to_string() const {
  char z[INET6_ADDRSTRLEN];
  return std::string(z, format(z));
}

std::optional<Network> Network::parse(std::string_view text) {
  std::size_t slash = text.find('/');
  std::optional<IpAddress> a = IpAddress::parse(text.substr(0, slash));
  if (!a) return std::nullopt;
  unsigned widest = a->is_v4 ? 32 : 128;
  unsigned bits = widest;
  if (slash != std::string_view::npos) {
    std::string_view tail = text.substr(slash + 1);
    auto [end, ec] = std::from_chars(tail.data(), tail.data() + tail.size(), bits);
    if (ec != std::errc() || end != tail.data() + tail.size() || bits > widest) return std::nullopt;
  }
  return Network{*a, static_cast<std::uint8_t>(bits)};
}

bool Network::contains(const IpAddress& a) const {
  if (!a.valid || a.is_v4 != address.is_v4) return false;
  std::size_t whole = bits / 8u;
  if (std::memcmp(a.bytes.data(), address.bytes.data(), whole) != 0) return false;
  unsigned rest = bits % 8u;
  if (rest == 0) return true;
  unsigned mask = (0xff00u >> rest) & 0xffu;
  return (a.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

bool contains(const std::vector<Network>& networks, const IpAddress& a) {
  for (const Network& n : networks) {
    if (n.contains(a)) return true;
  }
  return false;
}

}  // namespace albatross
