#include "net/socket_address.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace albatross {

SocketAddress SocketAddress::tcp(const IpAddress& ip, std::uint16_t port) {
  SocketAddress a{};
  if (ip.is_v4) {
    sockaddr_in s{};
    s.sin_family = AF_INET;
    s.sin_port = htons(port);
    std::memcpy(&s.sin_addr, ip.bytes.data(), 4);
    std::memcpy(a.storage, &s, sizeof s);
    a.size = sizeof s;
  } else {
    sockaddr_in6 s{};
    s.sin6_family = AF_INET6;
    s.sin6_port = htons(port);
    std::memcpy(&s.sin6_addr, ip.bytes.data(), 16);
    std::memcpy(a.storage, &s, sizeof s);
    a.size = sizeof s;
  }
  return a;
}

std::optional<SocketAddress> SocketAddress::parse(const std::string& host, std::uint16_t port) {
  const std::size_t percent = host.find('%');
  const auto ip = IpAddress::parse(host.substr(0, percent));
  if (!ip || (percent != std::string::npos && ip->is_v4)) return std::nullopt;
  SocketAddress a = tcp(*ip, port);
  if (percent != std::string::npos) {
    reinterpret_cast<sockaddr_in6*>(a.storage)->sin6_scope_id = ::if_nametoindex(host.c_str() + percent + 1);
  }
  return a;
}

SocketAddress SocketAddress::unix_path(std::string_view path) {
  SocketAddress a{};
  sockaddr_un s{};
  if (path.size() >= sizeof s.sun_path) return a;
  s.sun_family = AF_UNIX;
  std::memcpy(s.sun_path, path.data(), path.size());
  std::memcpy(a.storage, &s, sizeof s);
  a.size = static_cast<std::uint32_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return a;
}

int SocketAddress::family() const { return reinterpret_cast<const sockaddr*>(storage)->sa_family; }

IpAddress SocketAddress::ip() const {
  IpAddress out;
  if (family() == AF_INET) {
    std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in*>(storage)->sin_addr, 4);
    out.valid = true;
  } else if (family() == AF_INET6) {
    const auto& a = reinterpret_cast<const sockaddr_in6*>(storage)->sin6_addr;
    out = IpAddress::from_v6(a.s6_addr);
  }
  return out;
}

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(storage)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(storage)->sin6_port);
  return 0;
}

std::string SocketAddress::to_string() const {
  if (family() == AF_UNIX) return std::string("unix:") + reinterpret_cast<const sockaddr_un*>(storage)->sun_path;
  IpAddress a = ip();
  std::string host = a.to_string();
  if (!a.is_v4) {
    char zone[IF_NAMESIZE];
    const auto id = reinterpret_cast<const sockaddr_in6*>(storage)->sin6_scope_id;
    if (id != 0 && ::if_indextoname(id, zone) != nullptr) host += std::string("%") + zone;
  }
  return (a.is_v4 ? host : "[" + host + "]") + ":" + std::to_string(port());
}

bool operator==(const SocketAddress& a, const SocketAddress& b) {
  return a.size == b.size && std::memcmp(a.storage, b.storage, a.size) == 0;
}

}  // namespace albatross
