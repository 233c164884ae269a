// IP addresses and networks as values. A v4-mapped IPv6 address is taken as IPv4. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace albatross {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // network order; IPv4 in the first four
  bool is_v4 = true;
  bool valid = false;  // false for a unix-socket peer

  // "10.0.0.1" or "fd00::1", without brackets, port or zone.
  static std::optional<IpAddress> parse(std::string_view text);
  // From sixteen bytes in network order.
  static IpAddress from_v6(const std::uint8_t* bytes);
  // Writes at most 45 bytes, without a NUL, and returns how many; 0 if not valid.
  std::size_t format(char* out) const;
  std::string to_string() const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

struct Network {
  IpAddress address;
  std::uint8_t bits = 0;  // of the prefix

  // "10.0.0.0/8" or "fd00::/8"; an address alone is a network of one.
  static std::optional<Network> parse(std::string_view text);
  // False for an address of the other family or one that is not valid.
  bool contains(const IpAddress& a) const;
};

// Whether any of the networks contains the address.
bool contains(const std::vector<Network>& networks, const IpAddress& a);

}  // namespace albatross
