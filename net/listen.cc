#include "net/listen.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace albatross {
namespace {

constexpr int kBacklog = 4096;

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

int open_socket(const SocketAddress& a, std::string& error) {
  int fd = ::socket(a.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) error = std::strerror(errno);
  return fd;
}

bool bind_and_listen(int fd, const SocketAddress& a, bool listen_now, std::string& error) {
  if (::bind(fd, reinterpret_cast<const sockaddr*>(a.storage), a.size) != 0 ||
      (listen_now && ::listen(fd, kBacklog) != 0)) {
    error = std::strerror(errno);
    return false;
  }
  return true;
}

// A socket file that nobody answers on is left over from a process that died.
void remove_stale(const SocketAddress& a) {
  const char* path = reinterpret_cast<const sockaddr_un*>(a.storage)->sun_path;
  struct stat st;
  if (::stat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) return;
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  bool refused = ::connect(fd, reinterpret_cast<const sockaddr*>(a.storage), a.size) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  if (refused) ::unlink(path);
}

std::vector<ListenSocket> open_unix(const SocketAddress& a, std::string& error) {
  remove_stale(a);
  int fd = open_socket(a, error);
  if (fd < 0) return {};
  if (!bind_and_listen(fd, a, true, error)) {
    ::close(fd);
    return {};
  }
  return {{fd, a}};
}

bool is_any_v6(const SocketAddress& a) {
  return a.family() == AF_INET6 &&
         IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(a.storage)->sin6_addr);
}

// `first_alone`: the first one is bound without SO_REUSEPORT, so that bind fails if another process owns the port;
// after that SO_REUSEPORT is set for its siblings.
std::vector<ListenSocket> open_tcp(const SocketAddress& address, int count, bool first_alone, std::string& error) {
  std::vector<ListenSocket> out;
  SocketAddress at = address;
  for (int i = 0; i < count; ++i) {
    const bool alone = first_alone && i == 0;
    int fd = open_socket(at, error);
    if (fd < 0) break;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (at.family() == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_any_v6(at) ? 0 : 1);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);  // accepted sockets inherit it
    if (!alone) set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    bool good = bind_and_listen(fd, at, !alone, error);
    if (good && alone) {
      set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
      at = bound_address(fd);
      good = ::listen(fd, kBacklog) == 0;
      if (!good) error = std::strerror(errno);
    }
    if (!good) {
      ::close(fd);
      break;
    }
    out.push_back({fd, at});
  }
  if (static_cast<int>(out.size()) < count) {
    for (ListenSocket& s : out) ::close(s.fd);
    out.clear();
  }
  return out;
}

}  // namespace

SocketAddress any_address(std::uint16_t port) {
  IpAddress any;
  any.valid = true;
  int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  any.is_v4 = fd < 0;
  if (fd >= 0) ::close(fd);
  return SocketAddress::tcp(any, port);
}

SocketAddress bound_address(int fd) {
  SocketAddress a{};
  socklen_t size = sizeof a.storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(a.storage), &size);
  a.size = size;
  return a;
}

std::vector<ListenSocket> open_listeners(const SocketAddress& address, int count, std::string& error) {
  if (address.family() == AF_UNIX) return open_unix(address, error);
  return open_tcp(address, count, true, error);
}

std::vector<ListenSocket> add_listeners(const SocketAddress& bound, int count, std::string& error) {
  return open_tcp(bound, count, false, error);
}

Acceptor::Acceptor(Loop& loop, int fd, bool shared, MayAccept may_accept, OnAccept on_accept, OnExhausted on_exhausted)
    : loop_(loop),
      fd_(fd),
      events_(EPOLLIN | (shared ? static_cast<std::uint32_t>(EPOLLEXCLUSIVE) : 0u)),
      may_accept_(std::move(may_accept)),
      on_accept_(std::move(on_accept)),
      on_exhausted_(std::move(on_exhausted)) {
  slot_ = loop_.add(fd_, events_, this);
}

Acceptor::~Acceptor() {
  if (!paused_) loop_.remove(slot_, fd_, true);
}

void Acceptor::on_io(std::uint32_t) { loop_.make_ready(*this); }

void Acceptor::on_ready() {
  for (int i = 0; i < kBudget && !paused_ && may_accept_(*this); ++i) {
    SocketAddress peer{};
    socklen_t size = sizeof peer.storage;
    int fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(peer.storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      peer.size = size;
      on_accept_(fd, peer);
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      if (on_exhausted_(errno)) return;  // level-triggered: the next turn tries again
      pause_for(100 * kMilli);
    }
    return;
  }
}

void Acceptor::take_all() {
  constexpr int kBacklogs = 1024;  // of kBudget: more than a kernel keeps
  for (int i = 0; i < kBacklogs && !paused_ && waiting(); ++i) on_ready();
}

void Acceptor::pause() {
  if (paused_) return;
  paused_ = true;
  loop_.remove(slot_, fd_, true);
}

void Acceptor::pause_for(Nanos t) {
  pause();
  loop_.set_timer(retry_, loop_.now() + t);
}

bool Acceptor::waiting() const {
  pollfd p{fd_, POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

void Acceptor::resume() {
  if (!paused_) return;
  paused_ = false;
  slot_ = loop_.add(fd_, events_, this);
}

}  // namespace albatross
