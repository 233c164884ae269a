// IP addresses and networks as values. IPv4 is kept in the low four bytes with is_v4; a v4-mapped v6 address is v4.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace albatross {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // v4 in bytes[0..3]
  bool is_v4 = true;
  bool valid = false;  // false for a unix-socket peer

  static std::optional<IpAddress> parse(std::string_view text);
  // Sixteen bytes in network order.
  static IpAddress from_v6(const std::uint8_t* bytes);
  // At most 45 bytes; returns the size.
  std::size_t format(char* out) const;
  std::string to_string() const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

struct Network {
  IpAddress address;
  std::uint8_t bits = 0;

  // "10.0.0.0/8", "::1", "192.168.0.1".
  static std::optional<Network> parse(std::string_view text);
  bool contains(const IpAddress& a) const;
};

bool contains(const std::vector<Network>& networks, const IpAddress& a);

}  // namespace albatross
