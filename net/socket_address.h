// The address of a socket, TCP or unix: where to listen or connect, and who has connected. A value; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"

namespace albatross {

struct SocketAddress {
  alignas(8) char storage[128];  // a sockaddr
  std::uint32_t size = 0;        // of the sockaddr; 0: none
  static SocketAddress tcp(const IpAddress& ip, std::uint16_t port);
  // "10.0.0.1", "::1" or "fe80::1%eth0" (RFC 4007 §11); nullopt for anything else. A zone that this machine does not
  // have is ignored: connecting and binding then fail.
  static std::optional<SocketAddress> parse(const std::string& host, std::uint16_t port);
  static SocketAddress unix_path(std::string_view path);  // size 0 if the path is too long
  // "10.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80" or "unix:/path".
  std::string to_string() const;
  IpAddress ip() const;        // invalid for unix
  std::uint16_t port() const;  // 0 for unix
  int family() const;          // AF_INET, AF_INET6 or AF_UNIX
  friend bool operator==(const SocketAddress& a, const SocketAddress& b);
};

}  // namespace albatross
