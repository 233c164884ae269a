// The address of a socket, TCP or unix: where to listen or connect, and who has connected. A value; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip.h"

namespace albatross {

struct SocketAddress {
  alignas(8) char storage[128];  // a sockaddr
  std::uint32_t size = 0;        // of the sockaddr; 0: none
  static SocketAddress tcp(const IpAddress& ip, std::uint16_t port);
  static SocketAddress unix_path(std::string_view path);  // size 0 if the path is too long
  // "10.0.0.1:80", "[::1]:80" or "unix:/path".
  std::string to_string() const;
  IpAddress ip() const;        // invalid for unix
  std::uint16_t port() const;  // 0 for unix
  int family() const;          // AF_INET, AF_INET6 or AF_UNIX
  friend bool operator==(const SocketAddress& a, const SocketAddress& b);
};

}  // namespace albatross
