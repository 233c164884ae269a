#include "tests/support/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace albatross::test {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Address address_of(const std::string& text) {
  Address a;
  if (text.starts_with("unix:")) {
    auto& u = reinterpret_cast<sockaddr_un&>(a.storage);
    u.sun_family = AF_UNIX;
    std::strncpy(u.sun_path, text.c_str() + 5, sizeof u.sun_path - 1);
    a.size = sizeof u;
    return a;
  }
  const std::size_t colon = text.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)));
  if (text[0] == '[') {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(a.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    inet_pton(AF_INET6, text.substr(1, colon - 2).c_str(), &v6.sin6_addr);
    a.size = sizeof v6;
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(a.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    inet_pton(AF_INET, text.substr(0, colon).c_str(), &v4.sin_addr);
    a.size = sizeof v4;
  }
  return a;
}

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

Got wait_for(int fd, short events, const Deadline& deadline, int stop) {
  for (;;) {
    pollfd p[2] = {{fd, events, 0}, {stop, POLLIN, 0}};
    const int n = ::poll(p, stop >= 0 ? 2 : 1, deadline.left_ms());
    if (n < 0 && errno == EINTR) continue;
    if (stop >= 0 && p[1].revents != 0) return Got::kStopped;
    if (n == 0) return Got::kTimeout;
    return Got::kBytes;
  }
}

Fd bound_socket(const std::string& text, std::uint16_t& port) {
  Address a = address_of(text);
  Fd fd(::socket(a.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (::bind(fd.get(), a.get(), a.size) != 0) fail("bind " + text);
  getsockname(fd.get(), a.get(), &a.size);
  if (a.get()->sa_family == AF_INET) port = ntohs(reinterpret_cast<sockaddr_in&>(a.storage).sin_port);
  if (a.get()->sa_family == AF_INET6) port = ntohs(reinterpret_cast<sockaddr_in6&>(a.storage).sin6_port);
  return fd;
}

}  // namespace

void Fd::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Fd::reset() {
  if (fd_ < 0) return;
  linger l{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  close();
}

std::string loopback(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

Fd connect_to(const std::string& address, int receive_buffer, const std::string& from) {
  const Address a = address_of(address);
  Fd fd(::socket(a.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) fail("socket");
  if (receive_buffer > 0) setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (!from.empty()) {
    const Address source = address_of(from + ":0");
    if (::bind(fd.get(), source.get(), source.size) != 0) fail("bind " + from);
  }
  if (::connect(fd.get(), a.get(), a.size) != 0) fail("connect " + address);
  fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  int one = 1;
  if (a.get()->sa_family != AF_UNIX) setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

Fd listen_on(const std::string& address, std::uint16_t& port) {
  Fd fd = bound_socket(address, port);
  if (::listen(fd.get(), 512) != 0) fail("listen " + address);
  return fd;
}

Fd refusing_port(std::uint16_t& port) { return bound_socket("127.0.0.1:0", port); }

Got receive_some(int fd, std::string& into, const Deadline& deadline, int stop, std::size_t most) {
  const std::size_t had = into.size();
  for (;;) {
    const Got ready = wait_for(fd, POLLIN, deadline, stop);
    if (ready != Got::kBytes) return ready;
    into.resize(had + most);
    const ssize_t n = ::recv(fd, into.data() + had, most, MSG_DONTWAIT);
    into.resize(had + static_cast<std::size_t>(n > 0 ? n : 0));
    if (n > 0) return Got::kBytes;
    if (n == 0) return Got::kEnd;
    if (errno != EINTR && errno != EAGAIN) return Got::kReset;
  }
}

Got send_all(int fd, std::string_view bytes, const Deadline& deadline, int stop) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Got::kEnd;
    const Got ready = wait_for(fd, POLLOUT, deadline, stop);
    if (ready != Got::kBytes) return ready;
  }
  return Got::kBytes;
}

std::size_t send_now(int fd, std::string_view bytes) {
  const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

}  // namespace albatross::test
