#include "process/hand_over.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <thread>

namespace albatross::proxy_test {
namespace {

struct Pair {
  int ends[2] = {-1, -1};
  Pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0); }
  ~Pair() {
    for (int fd : ends) close_end(fd);
  }
  static void close_end(int fd) {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

TEST_CASE("what is handed over arrives: sockets, keys, overrides, health") {
  Pair pair;
  std::string error;
  HandOver out;
  // More than one message of descriptors carries.
  auto sockets = open_listeners(SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), 0), 300, error);
  REQUIRE(sockets.size() == 300);
  out.listeners = {{"web", "127.0.0.1:0", sockets}};
  out.ticket_keys = TicketKeys().all();
  out.overrides.servers[{"g", "10.0.0.1:80"}] = {7, 100};
  out.overrides.rules[{"web/default", "g"}] = {5, 95};
  out.overrides.drained = {{"g", "10.0.0.2:80"}};
  out.overrides.drained_listeners = {"other"};
  out.health[{"g", "10.0.0.1:80"}] = Health::kUnhealthy;
  std::thread sender([&] {
    std::string why;
    CHECK(send(pair.ends[0], out, why));
  });
  HandOver in;
  CHECK(receive(pair.ends[1], in, error));
  sender.join();
  REQUIRE(in.listeners.size() == 1);
  CHECK(in.listeners[0].name == "web");
  CHECK(in.listeners[0].wanted == "127.0.0.1:0");
  REQUIRE(in.listeners[0].sockets.size() == 300);
  for (std::size_t i = 0; i < 300; ++i) CHECK(in.listeners[0].sockets[i].address == sockets[i].address);
  REQUIRE(in.ticket_keys.size() == out.ticket_keys.size());
  CHECK(in.ticket_keys[0].mac == out.ticket_keys[0].mac);
  CHECK(in.overrides.server_weight("g", "10.0.0.1:80", 100) == 7);
  CHECK(in.overrides.rule_weight("web/default", "g", 95) == 5);
  CHECK(in.overrides.drained == out.overrides.drained);
  CHECK(in.overrides.drained_listeners == out.overrides.drained_listeners);
  CHECK(in.health == out.health);
  for (const auto* all : {&sockets, &in.listeners[0].sockets}) {
    for (const ListenSocket& s : *all) ::close(s.fd);
  }
}

TEST_CASE("a hand-over that is cut or is none says so") {
  std::string error;
  HandOver in;
  {
    Pair pair;
    ::close(std::exchange(pair.ends[0], -1));
    CHECK_FALSE(receive(pair.ends[1], in, error));
    CHECK(error == "the other process has closed the connection");
  }
  for (std::string_view text :
       {std::string_view("HTTP/1.1 400 Bad Request"), std::string_view("\x02\0\0\0\0\0\0\0{}", 10)}) {
    Pair pair;
    REQUIRE(::write(pair.ends[0], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::shutdown(pair.ends[0], SHUT_WR);
    CHECK_FALSE(receive(pair.ends[1], in, error));
  }
  Pair pair;
  REQUIRE(::write(pair.ends[0], "x", 1) == 1);
  CHECK_FALSE(await(pair.ends[1], HandOver::kReady, error));
  CHECK(error == "the other process sent an unexpected reply");
}

}  // namespace albatross::proxy_test
