// Readiness flags of a socket under edge triggering, over a socketpair and over loopback.
#include "net/tcp_transport.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <cerrno>
#include <string>

#include "net/listen.h"

namespace albatross::net_test {
namespace {

struct Owner final : Ready {
  void on_ready() override { ++woken; }
  int woken = 0;
};

struct Ends {
  explicit Ends(bool proxied = false) {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    peer = fds[1];
    transport = std::make_unique<TcpTransport>(loop, owner, fds[0], false, proxied);
    loop.turn(0);
  }
  ~Ends() {
    if (peer >= 0) ::close(peer);
  }
  void send(std::string_view bytes) {
    REQUIRE(::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    loop.turn(0);
  }
  std::pair<std::string, IoStatus> read(std::size_t size = 1000) {
    std::string out(size, ' ');
    IoResult r = transport->read(out.data(), size);
    CHECK((r.status == IoStatus::kOk) == (r.bytes > 0));
    return {out.substr(0, r.bytes), r.status};
  }
  IoResult write(std::string_view bytes) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    return transport->write(&part, 1);
  }

  Clock clock;
  Loop loop{clock};
  Owner owner;
  int peer = -1;
  std::unique_ptr<TcpTransport> transport;
};

using Got = std::pair<std::string, IoStatus>;

// A connected pair over loopback: only TCP knows resets.
struct Tcp : Ends {
  Tcp() {
    std::string error;
    auto listeners = open_listeners(SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), 0), 1, error);
    REQUIRE(listeners.size() == 1);
    int fd = start_connect(listeners[0].address);
    REQUIRE(fd >= 0);
    ::close(peer);
    transport = std::make_unique<TcpTransport>(loop, owner, fd, true);
    for (int i = 0; i < 100 && transport->open().status == IoStatus::kAgain; ++i) loop.turn(100 * kMilli);
    REQUIRE(transport->open().status == IoStatus::kOk);
    peer = ::accept(listeners[0].fd, nullptr, nullptr);
    REQUIRE(peer >= 0);
    ::close(listeners[0].fd);
  }
};

}  // namespace

TEST_CASE("a short read clears the readable flag and the next edge sets it") {
  Ends e;
  CHECK_FALSE(e.transport->can_read());
  CHECK(e.read() == Got{"", IoStatus::kAgain});
  e.send("hello");
  CHECK(e.owner.woken > 0);
  CHECK(e.transport->can_read());
  CHECK(e.read(5) == Got{"hello", IoStatus::kOk});
  CHECK(e.transport->can_read());  // a full read says nothing
  CHECK(e.read() == Got{"", IoStatus::kAgain});
  CHECK_FALSE(e.transport->can_read());
  e.send("again");
  CHECK(e.read() == Got{"again", IoStatus::kOk});
  CHECK_FALSE(e.transport->can_read());  // no second call is needed
}

TEST_CASE("data and an end in one edge are read on to the end") {
  Ends e;
  REQUIRE(::send(e.peer, "bye", 3, 0) == 3);
  ::shutdown(e.peer, SHUT_WR);
  e.loop.turn(0);
  CHECK(e.transport->hung_up());
  CHECK_FALSE(e.transport->broken());
  CHECK(e.read() == Got{"bye", IoStatus::kOk});
  CHECK(e.transport->can_read());
  CHECK(e.read() == Got{"", IoStatus::kEnd});
  CHECK(e.read() == Got{"", IoStatus::kEnd});
}

TEST_CASE("a peer that is gone is broken, and its last bytes can be read") {
  Ends e;
  REQUIRE(::send(e.peer, "bye", 3, 0) == 3);
  ::close(e.peer);
  e.peer = -1;
  e.loop.turn(0);
  CHECK(e.transport->hung_up());
  CHECK(e.transport->broken());
  CHECK(e.read() == Got{"bye", IoStatus::kOk});
  CHECK(e.read().second == IoStatus::kEnd);
  IoResult w = e.write("x");
  CHECK(w.status == IoStatus::kError);
  CHECK(w.error == EPIPE);  // and no signal
}

TEST_CASE("a full socket clears the writable flag and room sets it") {
  Ends e;
  std::string big(10 << 20, 'x');
  CHECK(e.transport->can_write());
  IoResult r = e.write(big);
  CHECK(r.status == IoStatus::kOk);
  CHECK(r.bytes > 0);
  CHECK(r.bytes < big.size());
  CHECK_FALSE(e.transport->can_write());
  CHECK(e.write("x").status == IoStatus::kAgain);
  std::size_t drained = 0;
  while (drained < r.bytes) {
    ssize_t n = ::recv(e.peer, big.data(), big.size(), 0);
    REQUIRE(n > 0);
    drained += static_cast<std::size_t>(n);
  }
  e.loop.turn(0);
  CHECK(e.transport->can_write());
  CHECK(e.write("x").bytes == 1);
}

TEST_CASE("several pieces leave in one write, in order") {
  Ends e;
  std::string a = "head ", b = "body", c;
  iovec parts[] = {{a.data(), a.size()}, {c.data(), 0}, {b.data(), b.size()}};
  CHECK(e.transport->write(parts, 3).bytes == 9);
  char into[20];
  CHECK(std::string(into, static_cast<std::size_t>(::recv(e.peer, into, sizeof into, 0))) == "head body");
  CHECK(e.transport->write(parts + 1, 1).status == IoStatus::kOk);
}

TEST_CASE("closing one direction leaves the other") {
  Ends e;
  e.transport->shutdown_write();
  char c;
  CHECK(::recv(e.peer, &c, 1, 0) == 0);
  e.send("more");
  CHECK(e.read() == Got{"more", IoStatus::kOk});
  e.transport->close(false);
  CHECK_FALSE(e.transport->is_open());
  e.transport->close(true);  // once is enough
  e.transport->shutdown_write();
}

TEST_CASE("an abort is a reset to the peer, a close is an end") {
  for (bool abort : {false, true}) {
    Tcp t;
    t.transport->close(abort);
    char c;
    ssize_t n = -1;
    for (int i = 0; i < 1000; ++i) {
      n = ::recv(t.peer, &c, 1, 0);
      if (n >= 0 || errno != EAGAIN) break;
      t.loop.turn(kMilli);
    }
    CHECK(n == (abort ? -1 : 0));
    if (abort) CHECK(errno == ECONNRESET);
  }
}

TEST_CASE("a reset by the peer is an error on reading") {
  Tcp t;
  linger l{1, 0};
  setsockopt(t.peer, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  ::close(t.peer);
  t.peer = -1;
  for (int i = 0; i < 100 && !t.transport->broken(); ++i) t.loop.turn(100 * kMilli);
  CHECK(t.transport->broken());
  std::string into(10, ' ');
  IoResult r = t.transport->read(into.data(), into.size());
  CHECK(r.status == IoStatus::kError);
  CHECK(r.error == ECONNRESET);
}

TEST_CASE("a refused connect says so") {
  std::string error;
  auto listeners = open_listeners(SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), 0), 1, error);
  REQUIRE(listeners.size() == 1);
  ::close(listeners[0].fd);
  Clock clock;
  Loop loop(clock);
  Owner owner;
  int fd = start_connect(listeners[0].address);
  REQUIRE(fd >= 0);
  TcpTransport t(loop, owner, fd, true);
  IoResult r = t.open();
  for (int i = 0; i < 100 && r.status == IoStatus::kAgain; ++i) {
    loop.turn(100 * kMilli);
    r = t.open();
  }
  CHECK(r.status == IoStatus::kError);
  CHECK(r.error == ECONNREFUSED);
}

TEST_CASE("a connect to a missing unix socket fails at once") {
  CHECK(start_connect(SocketAddress::unix_path("/nonexistent/socket")) == -ENOENT);
}

TEST_CASE("a PROXY header comes before the first byte") {
  Ends e(true);
  CHECK(e.transport->open().status == IoStatus::kAgain);
  e.send("PROXY TCP4 192.0.2.1 ");
  CHECK(e.transport->open().status == IoStatus::kAgain);
  e.send("10.0.0.1 5 6\r\nhello");
  CHECK(e.transport->open().status == IoStatus::kOk);
  REQUIRE(e.transport->proxy_header() != nullptr);
  CHECK(e.transport->proxy_header()->source.to_string() == "192.0.2.1");
  CHECK(e.transport->can_read());
  CHECK(e.read(2) == Got{"he", IoStatus::kOk});
  CHECK(e.read() == Got{"llo", IoStatus::kOk});
  CHECK_FALSE(e.transport->can_read());
  e.send("more");
  CHECK(e.read() == Got{"more", IoStatus::kOk});
}

TEST_CASE("socket addresses print, compare and give their parts") {
  SocketAddress v4 = SocketAddress::tcp(*IpAddress::parse("192.0.2.1"), 80);
  CHECK(v4.to_string() == "192.0.2.1:80");
  CHECK(v4.port() == 80);
  CHECK(v4.ip().to_string() == "192.0.2.1");
  SocketAddress v6 = SocketAddress::tcp(*IpAddress::parse("2001:db8::1"), 443);
  CHECK(v6.to_string() == "[2001:db8::1]:443");
  CHECK(v6.ip() == *IpAddress::parse("2001:db8::1"));
  CHECK(v4 == SocketAddress::tcp(*IpAddress::parse("192.0.2.1"), 80));
  CHECK_FALSE(v4 == SocketAddress::tcp(*IpAddress::parse("192.0.2.1"), 81));
  CHECK_FALSE(v4 == v6);
  SocketAddress u = SocketAddress::unix_path("/tmp/x");
  CHECK(u.to_string() == "unix:/tmp/x");
  CHECK_FALSE(u.ip().valid);
  CHECK(u.port() == 0);
  CHECK(SocketAddress::unix_path(std::string(107, 'x')).size > 0);
  CHECK(SocketAddress::unix_path(std::string(108, 'x')).size == 0);
}

}  // namespace albatross::net_test
