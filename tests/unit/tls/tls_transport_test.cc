// TLS over a socketpair: handshakes, data of every size, full sockets, ends, resumption.
#include "tls/tls_transport.h"

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/tls/tls_pair.h"

namespace albatross::tls_test {
namespace {

std::string numbered(std::size_t n) {
  std::string out;
  for (std::size_t i = 0; out.size() < n; ++i) out += std::to_string(i) + ",";
  return out.substr(0, n);
}

}  // namespace

TEST_CASE("a handshake agrees on version, cipher and name") {
  Contexts c;
  TlsPair p(c);
  p.handshake();
  const TlsInfo* info = p.server.t->tls();
  REQUIRE(info != nullptr);
  CHECK(info->protocol == "TLSv1.3");
  CHECK(info->cipher.starts_with("TLS_"));
  CHECK(info->sni == "first.test");
  CHECK(info->alpn == "http/1.1");
  CHECK_FALSE(info->resumed);
}

TEST_CASE("TLS 1.2 works where a policy says so") {
  Contexts c("tls_cipher_policy_1_2");
  TlsPair p(c);
  p.handshake();
  CHECK(p.server.t->tls()->protocol == "TLSv1.2");
  CHECK(p.client.write("hello") == 5);
  p.run();
  CHECK(p.server.got == "hello");
}

TEST_CASE("the certificate is chosen by name") {
  Contexts c;
  for (const char* host : {"second.test", "x.wild.test"}) {
    TlsPair p(*c.server, *c.make_client(host, "second.pem"));
    p.handshake();
    CHECK(p.server.t->tls()->sni == host);
  }
  TlsPair unknown(*c.server, *c.make_client("unknown.test", "first.pem", false));
  unknown.handshake();  // the default answers
}

TEST_CASE("a client refuses a certificate that it does not trust or that is for another") {
  Contexts c;
  for (auto [host, ca] :
       {std::pair{"first.test", "second.pem"}, {"third.test", "first.pem"}, {"a.b.wild.test", "second.pem"}}) {
    CAPTURE(host, ca);
    TlsPair p(*c.server, *c.make_client(host, ca));
    p.run(20);
    CHECK(p.client.opened == IoStatus::kError);
    p.client.t->close(false);
    p.run();
    bool refused =
        p.server.opened == IoStatus::kError || p.server.ended == IoStatus::kError || p.server.ended == IoStatus::kEnd;
    CHECK(refused);
  }
}

TEST_CASE("garbage instead of a handshake is an error") {
  Contexts c;
  for (const char* bytes :
       {"get / http/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\xff\xff", "\x16\x03\x01\x00\x05garbage garbage"}) {
    TlsPair p(c);
    End server;
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    server.t = c.server->accept(p.loop, server, fds[0], false);
    REQUIRE(write(fds[1], bytes, std::string_view(bytes).size()) > 0);
    ::close(fds[1]);
    for (int i = 0; i < 5; ++i) {
      p.loop.turn(0);
      server.open();
    }
    CHECK(server.opened == IoStatus::kError);
  }
}

TEST_CASE("a client that speaks HTTP in clear is spoken to in clear") {
  Contexts c;
  TlsPair p(c);
  End server;
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  server.t = c.server->accept(p.loop, server, fds[0], false);
  REQUIRE(write(fds[1], "GET / HTTP/1.1\r\n", 16) == 16);
  p.loop.turn(0);
  server.open();
  REQUIRE(server.opened == IoStatus::kOk);
  CHECK(server.t->in_clear());
  CHECK(server.t->tls() == nullptr);
  char text[32];
  REQUIRE(server.t->can_read());
  IoResult r = server.t->read(text, 5);
  CHECK(std::string_view(text, r.bytes) == "GET /");
  r = server.t->read(text, sizeof text);
  CHECK(std::string_view(text, r.bytes) == " HTTP/1.1\r\n");
  CHECK(server.t->read(text, sizeof text).status == IoStatus::kAgain);
  char answer[] = "no";
  const iovec part{answer, 2};
  CHECK(server.t->write(&part, 1).bytes == 2);
  CHECK(read(fds[1], text, sizeof text) == 2);
  server.t->close(false);
  CHECK(read(fds[1], text, sizeof text) == 0);
  ::close(fds[1]);
}

TEST_CASE("data of every size comes out whole, both ways") {
  Contexts c;
  TlsPair p(c);
  p.handshake();
  std::string to_server, to_client;
  for (std::size_t size : {1, 2, 100, 1000, 4096, 16383, 16384, 16385, 30000, 65536}) {
    std::string text = numbered(size);
    to_server += text;
    to_client += text;
    REQUIRE(p.client.write(text) == size);
    REQUIRE(p.server.write(text) == size);
    p.run(40);
    REQUIRE(p.server.got == to_server);
    REQUIRE(p.client.got == to_client);
  }
  CHECK(p.server.t->pending() == 0);
}

TEST_CASE("several pieces leave over TLS in one write, in order") {
  Contexts c;
  TlsPair p(c);
  p.handshake();
  std::string head = "head ", empty, body = numbered(40'000), end = " end";
  for (bool large : {false, true}) {
    iovec parts[] = {{head.data(), head.size()},
                     {empty.data(), 0},
                     {body.data(), large ? body.size() : 10},
                     {end.data(), end.size()}};
    p.client.got.clear();
    IoResult r = p.server.t->write(parts, 4);
    CHECK(r.bytes == 9 + (large ? body.size() : 10));
    p.run(20);
    CHECK(p.client.got == head + body.substr(0, large ? body.size() : 10) + end);
  }
}

TEST_CASE("reads of a few bytes strand nothing") {
  Contexts c;
  TlsPair p(c);
  p.handshake();
  p.reading = false;
  std::string text = numbered(50'000);
  REQUIRE(p.client.write(text) == text.size());
  p.run();
  for (int i = 0; i < 100; ++i) {
    p.server.read(7);  // to the last byte that is there, with no other edge needed
    p.run(2);
  }
  CHECK(p.server.got == text);
}

TEST_CASE("a full socket keeps the rest pending until it is flushed") {
  Contexts c;
  TlsPair p(c, 4096);
  p.handshake();
  p.reading = false;
  std::string text = numbered(200'000);
  std::size_t taken = p.server.write(text);
  CHECK(taken > 0);
  CHECK(p.server.t->pending() > 0);
  CHECK_FALSE(p.server.t->can_write());
  iovec part{text.data(), 10};
  CHECK(p.server.t->write(&part, 1).status == IoStatus::kAgain);
  CHECK(p.server.t->flush().status == IoStatus::kAgain);
  p.reading = true;
  p.run(2000);
  CHECK(p.server.t->pending() == 0);
  CHECK(p.client.got == text.substr(0, taken));
}

TEST_CASE("both ends can write through small sockets at once") {
  Contexts c;
  TlsPair p(c, 4096);
  p.handshake();
  std::string text = numbered(500'000);
  std::size_t up = 0, down = 0;
  for (int i = 0; i < 20'000 && (p.server.got.size() < text.size() || p.client.got.size() < text.size()); ++i) {
    up += p.client.write(std::string_view(text).substr(up, 5000));
    down += p.server.write(std::string_view(text).substr(down, 5000));
    p.run(1);
  }
  CHECK(p.server.got == text);
  CHECK(p.client.got == text);
}

TEST_CASE("an end that is announced is an end in either role") {
  for (bool server_ends : {false, true}) {
    Contexts c;
    TlsPair p(c);
    p.handshake();
    End& from = server_ends ? p.server : p.client;
    End& to = server_ends ? p.client : p.server;
    CHECK(from.write("last") == 4);
    from.t->shutdown_write();
    p.run();
    CHECK(to.got == "last");
    CHECK(to.ended == IoStatus::kEnd);
    CHECK(to.write("still") == 5);  // the other direction is open
    p.run();
    CHECK(from.got == "still");
    to.t->close(false);
    p.run();
    CHECK(from.ended == IoStatus::kEnd);
  }
}

TEST_CASE("a bare end is a cut to a client and an ordinary end to a server") {
  for (bool server_ends : {false, true}) {
    Contexts c;
    TlsPair p(c);
    p.handshake();
    p.run(20);
    End& from = server_ends ? p.server : p.client;
    End& to = server_ends ? p.client : p.server;
    CHECK(from.write("last") == 4);
    ::shutdown(server_ends ? p.server_fd : p.client_fd, SHUT_WR);  // no close_notify
    p.run();
    CHECK(to.got == "last");
    CHECK(to.ended == (server_ends ? IoStatus::kError : IoStatus::kEnd));
  }
}

TEST_CASE("an end behind bytes that the socket has not taken still comes") {
  Contexts c;
  TlsPair p(c, 4096);
  p.handshake();
  p.reading = false;
  std::string text = numbered(100'000);
  std::size_t taken = p.server.write(text);
  REQUIRE(p.server.t->pending() > 0);
  p.server.t->shutdown_write();
  p.reading = true;
  p.run(2000);
  CHECK(p.client.got == text.substr(0, taken));
  CHECK(p.client.ended == IoStatus::kEnd);
  char byte;
  CHECK(::recv(p.client_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0);  // and the socket's own
}

TEST_CASE("sessions are resumed, also by another configuration and after the keys have turned") {
  for (const char* policy : {"tls_cipher_policy_1_2_strict_with_1_3", "tls_cipher_policy_1_2"}) {
    CAPTURE(policy);
    Contexts c(policy);
    auto connected = [&](TlsServer& server) {
      TlsPair p(server, *c.client);
      p.handshake();
      p.run(20);  // tickets of TLS 1.3 come after the handshake
      CHECK(p.server.t->tls()->resumed == p.client.t->tls()->resumed);
      return p.server.t->tls()->resumed;
    };
    CHECK_FALSE(connected(*c.server));
    for (int i = 0; i < 4; ++i) CHECK(connected(*c.server));  // time after time
    auto reloaded = c.make_server(policy);
    CHECK(connected(*reloaded));
    c.tickets->rotate();
    CHECK(connected(*reloaded));  // by an old key
    for (std::size_t i = 0; i < TicketKeys::kKeep; ++i) c.tickets->rotate();
    CHECK_FALSE(connected(*reloaded));  // by one that is forgotten
    CHECK(connected(*reloaded));
  }
}

TEST_CASE("a PROXY header comes in front of the TLS handshake") {
  Contexts c;
  TlsPair p(c);
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  std::string_view header = "PROXY TCP4 192.0.2.1 10.0.0.1 5 6\r\n";
  REQUIRE(write(fds[1], header.data(), header.size()) > 0);
  p.server.t = c.server->accept(p.loop, p.server, fds[0], true);
  p.client.t = c.client->connect(p.loop, p.client, fds[1]);
  p.handshake();
  REQUIRE(p.server.t->proxy_header() != nullptr);
  CHECK(p.server.t->proxy_header()->source.to_string() == "192.0.2.1");
  CHECK(p.client.write("hello") == 5);
  p.run();
  CHECK(p.server.got == "hello");
}

}  // namespace albatross::tls_test
