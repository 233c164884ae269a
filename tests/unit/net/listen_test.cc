#include "net/listen.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <string>
#include <vector>

namespace albatross::net_test {
namespace {

SocketAddress loopback(std::uint16_t port) { return SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), port); }

void close_all(std::vector<ListenSocket>& sockets) {
  for (ListenSocket& s : sockets) ::close(s.fd);
  sockets.clear();
}

// Whether a blocking connect succeeds; the descriptor or -1.
int connect_to(const SocketAddress& a) {
  int fd = ::socket(a.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(a.storage), a.size) == 0) return fd;
  ::close(fd);
  return -1;
}

struct Directory {
  Directory() {
    char name[] = "/tmp/listen_test.XXXXXX";
    path = mkdtemp(name);
  }
  ~Directory() {
    ::unlink((path + "/s").c_str());
    ::rmdir(path.c_str());
  }
  std::string path;
};

}  // namespace

TEST_CASE("siblings share a port that the kernel chose, and all of them get connections") {
  std::string error;
  auto sockets = open_listeners(loopback(0), 4, error);
  REQUIRE(sockets.size() == 4);
  for (const ListenSocket& s : sockets) {
    CHECK(s.address.port() != 0);
    CHECK(s.address == sockets[0].address);
  }
  std::vector<int> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(connect_to(sockets[0].address));
    REQUIRE(clients.back() >= 0);
  }
  int busy = 0, taken = 0;
  for (const ListenSocket& s : sockets) {
    int here = 0;
    for (int fd; (fd = ::accept(s.fd, nullptr, nullptr)) >= 0; ++here) ::close(fd);
    busy += here > 0;
    taken += here;
  }
  CHECK(taken == 200);
  CHECK(busy == 4);
  for (int fd : clients) ::close(fd);
  close_all(sockets);
}

TEST_CASE("a port in use is refused, to this process and to another") {
  std::string error;
  auto sockets = open_listeners(loopback(0), 2, error);
  REQUIRE(sockets.size() == 2);
  CHECK(open_listeners(sockets[0].address, 1, error).empty());
  CHECK(error == "Address already in use");
  CHECK(open_listeners(sockets[0].address, 3, error).empty());
  pid_t child = fork();
  if (child == 0) {
    std::string why;
    _exit(open_listeners(sockets[0].address, 2, why).empty() && why == "Address already in use" ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  SocketAddress address = sockets[0].address;
  close_all(sockets);
  auto again = open_listeners(address, 2, error);
  CHECK(again.size() == 2);
  close_all(again);
}

TEST_CASE("a foreign socket with REUSEPORT on the port is noticed") {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  SocketAddress a = loopback(0);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(a.storage), a.size) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  socklen_t size = sizeof a.storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(a.storage), &size);
  std::string error;
  CHECK(open_listeners(a, 2, error).empty());
  ::close(fd);
}

TEST_CASE("an address that is not ours is refused with a reason") {
  std::string error;
  CHECK(open_listeners(SocketAddress::tcp(*IpAddress::parse("192.0.2.1"), 0), 1, error).empty());
  CHECK_FALSE(error.empty());
}

TEST_CASE("the wildcard address takes both families") {
  std::string error;
  auto sockets = open_listeners(any_address(0), 1, error);
  REQUIRE(sockets.size() == 1);
  std::uint16_t port = sockets[0].address.port();
  int v4 = connect_to(loopback(port));
  CHECK(v4 >= 0);
  ::close(v4);
  if (sockets[0].address.family() == AF_INET6) {
    int v6 = connect_to(SocketAddress::tcp(*IpAddress::parse("::1"), port));
    if (v6 >= 0) ::close(v6);
  }
  close_all(sockets);
}

TEST_CASE("a unix socket that is left over is replaced, a live one and a file are not") {
  Directory dir;
  SocketAddress a = SocketAddress::unix_path(dir.path + "/s");
  std::string error;
  auto first = open_listeners(a, 3, error);
  REQUIRE(first.size() == 1);  // one descriptor for all
  CHECK(open_listeners(a, 1, error).empty());
  CHECK(error == "Address already in use");
  int fd = connect_to(a);
  CHECK(fd >= 0);
  ::close(fd);
  close_all(first);  // as a process that died: the file stays
  struct stat st;
  REQUIRE(::stat((dir.path + "/s").c_str(), &st) == 0);
  auto second = open_listeners(a, 1, error);
  REQUIRE(second.size() == 1);
  fd = connect_to(a);
  CHECK(fd >= 0);
  ::close(fd);
  close_all(second);
  ::unlink((dir.path + "/s").c_str());
  ::close(::open((dir.path + "/s").c_str(), O_CREAT | O_WRONLY, 0600));
  CHECK(open_listeners(a, 1, error).empty());
  CHECK(::stat((dir.path + "/s").c_str(), &st) == 0);
}

TEST_CASE("an acceptor takes what comes, so many a turn, and rests when paused") {
  Clock clock;
  Loop loop(clock);
  std::string error;
  auto sockets = open_listeners(loopback(0), 1, error);
  REQUIRE(sockets.size() == 1);
  int taken = 0;
  {
    bool may = true;
    Acceptor acceptor(
        loop, sockets[0].fd, false, [&](Acceptor&) { return may; },
        [&](int fd, const SocketAddress& peer) {
          ++taken;
          CHECK(peer.ip().to_string() == "127.0.0.1");
          ::close(fd);
        },
        [](int) { return false; });
    std::vector<int> clients;
    for (int i = 0; i < Acceptor::kBudget + 10; ++i) clients.push_back(connect_to(sockets[0].address));
    loop.turn(kSecond);
    CHECK(taken == Acceptor::kBudget);
    loop.turn(kSecond);
    CHECK(taken == Acceptor::kBudget + 10);
    acceptor.pause();
    acceptor.pause();
    clients.push_back(connect_to(sockets[0].address));
    loop.turn(0);
    CHECK(taken == Acceptor::kBudget + 10);
    acceptor.resume();
    acceptor.resume();
    loop.turn(kSecond);
    CHECK(taken == Acceptor::kBudget + 11);
    may = false;
    clients.push_back(connect_to(sockets[0].address));
    loop.turn(kSecond);
    CHECK(taken == Acceptor::kBudget + 11);
    may = true;
    loop.turn(kSecond);
    CHECK(taken == Acceptor::kBudget + 12);
    for (int fd : clients) ::close(fd);
  }
  int late = connect_to(sockets[0].address);  // the descriptor is still open, the kernel's queue keeps it
  CHECK(late >= 0);
  loop.turn(0);
  CHECK(taken == Acceptor::kBudget + 12);
  ::close(late);
  close_all(sockets);
}

TEST_CASE("an acceptor without descriptors asks for one, else rests and tries again") {
  Clock clock;
  Loop loop(clock);
  std::string error;
  auto sockets = open_listeners(loopback(0), 1, error);
  REQUIRE(sockets.size() == 1);
  rlimit before;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  int client = connect_to(sockets[0].address);
  REQUIRE(client >= 0);
  int spare = ::dup(client), taken = 0, asked = 0, seen = 0;
  bool give = false;
  Acceptor acceptor(
      loop, sockets[0].fd, false, [](Acceptor&) { return true; },
      [&](int fd, const SocketAddress&) {
        ++taken;
        ::close(fd);
      },
      [&](int why) {
        ++asked;
        seen = why;
        if (give) ::close(spare);
        return give;
      });
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(spare) + 1;  // every number below is taken, or is taken now
  std::vector<int> fill;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  for (int fd; (fd = ::dup(client)) >= 0;) fill.push_back(fd);
  loop.turn(kSecond);
  bool rested = asked == 1 && seen == EMFILE && taken == 0;
  Nanos start = loop.now();
  give = true;
  while (taken == 0 && loop.now() - start < 5 * kSecond) loop.turn(kSecond);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  for (int fd : fill) ::close(fd);
  CHECK(rested);
  CHECK(taken == 1);
  CHECK(asked == 2);
  CHECK(loop.now() - start >= 80 * kMilli);
  ::close(client);
  close_all(sockets);
}

}  // namespace albatross::net_test
