#include "net/tcp_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace albatross {

TcpTransport::TcpTransport(Loop& loop, Ready& owner, int fd, bool connecting, bool proxied)
    : Transport(owner), fd_(fd), connecting_(connecting) {
  if (proxied) peek_ = std::make_unique<ProxyPeek>();
  loop_ = &loop;
  writable_ = !connecting;
  slot_ = loop.add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, this);
}

TcpTransport::~TcpTransport() { close(false); }

IoResult TcpTransport::open() {
  if (peek_) return peek_->step(fd_, readable_, hung_up_);
  if (!connecting_) return {};
  IoResult r = connected(fd_, writable_ || broken_);
  connecting_ = r.status != IoStatus::kOk;
  return r;
}

IoResult TcpTransport::connected(int fd, bool ready) {
  if (!ready) return {0, IoStatus::kAgain, 0};
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return {0, IoStatus::kError, error};
  return {};
}

IoResult TcpTransport::receive(int fd, char* into, std::size_t size, bool& readable, bool hung_up) {
  if (!readable) return {0, IoStatus::kAgain, 0};
  for (;;) {
    ssize_t n = ::recv(fd, into, size, 0);
    if (n > 0) {
      if (static_cast<std::size_t>(n) < size && !hung_up) readable = false;
      return {static_cast<std::size_t>(n), IoStatus::kOk, 0};
    }
    if (n == 0) return {0, IoStatus::kEnd, 0};
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      readable = false;
      return {0, IoStatus::kAgain, 0};
    }
    return {0, IoStatus::kError, errno};
  }
}

IoResult TcpTransport::send(int fd, const iovec* parts, int count, bool& writable) {
  std::size_t total = 0;
  for (int i = 0; i < count; ++i) total += parts[i].iov_len;
  if (total == 0) return {};
  if (!writable) return {0, IoStatus::kAgain, 0};
  msghdr m{};
  m.msg_iov = const_cast<iovec*>(parts);
  m.msg_iovlen = static_cast<std::size_t>(count);
  for (;;) {
    ssize_t n =
        count == 1 ? ::send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL) : ::sendmsg(fd, &m, MSG_NOSIGNAL);
    if (n >= 0) {
      if (static_cast<std::size_t>(n) < total) writable = false;
      return {static_cast<std::size_t>(n), IoStatus::kOk, 0};
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      writable = false;
      return {0, IoStatus::kAgain, 0};
    }
    return {0, IoStatus::kError, errno};
  }
}

void TcpTransport::reset_on_close(int fd) {
  linger l{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

IoResult TcpTransport::read(char* into, std::size_t size) {
  if (peek_ && peek_->left() > 0) return {peek_->take(into, size), IoStatus::kOk, 0};
  return receive(fd_, into, size, readable_, hung_up_);
}

IoResult TcpTransport::write(const iovec* parts, int count) { return send(fd_, parts, count, writable_); }

void TcpTransport::shutdown_write() {
  if (fd_ >= 0) ::shutdown(fd_, SHUT_WR);
}

void TcpTransport::close(bool abort) {
  if (fd_ < 0) return;
  if (abort) reset_on_close(fd_);
  loop_->remove(slot_, fd_);
  ::close(fd_);
  fd_ = -1;
}

int start_connect(const SocketAddress& to, const IpAddress* from) {
  int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (to.family() != AF_UNIX) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (from != nullptr) {
      SocketAddress source = SocketAddress::tcp(*from, 0);
      setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
      if (::bind(fd, reinterpret_cast<const sockaddr*>(source.storage), source.size) != 0) {
        ::close(fd);
        return -ENXIO;  // not an address of this machine; EADDRNOTAVAIL is left for ports
      }
    }
  }
  if (::connect(fd, reinterpret_cast<const sockaddr*>(to.storage), to.size) == 0 || errno == EINPROGRESS) return fd;
  int error = errno;
  ::close(fd);
  return -error;
}

}  // namespace albatross
