// Every timer with its default, under a clock that the test moves: nothing just before, the end just
// after.
#include "tests/integration/secure.h"
#include "tests/integration/timers.h"
#include "tests/support/fake_upstream.h"

using namespace albatross;
using namespace albatross::test;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// Reads a request, then nothing until the proxy leaves.
void hang(FakeConnection& c) {
  c.read_request();
  c.wait_for_close();
}

}  // namespace

TEST_CASE("idle: 15 s", "[timeouts]") {
  FakeUpstream up;
  Clockwork clockwork(Setup{.servers = {up.address()}});
  Client used(clockwork.port()), unused(clockwork.port());
  CHECK(used.get("/").status() == 200);
  clockwork.pass(14'700 * kMilli);
  CHECK(used.stays_silent(Ms(20)));
  CHECK(unused.stays_silent(Ms(20)));
  CHECK(used.get("/").status() == 200);
  clockwork.pass(600 * kMilli);
  CHECK(unused.ends());
  CHECK(used.stays_silent(Ms(20)));
  clockwork.pass(14'700 * kMilli);
  CHECK(used.ends());
}

TEST_CASE("handshake: 10 s", "[timeouts]") {
  const auto folder = std::make_shared<TempDir>();
  Authority().issue("a", "DNS:a").write(*folder, "a");
  ManualClock clock;
  const Setup setup{.listener = "certificates: [{cert: a.pem, key: a.key}]",
                    .actions = "- fixed_response: {code: 204}",
                    .protocol = "https"};
  TestProxy proxy(setup.yaml(), ProxyOptions{&clock, {}}, folder);
  Client client(proxy.port());
  client.send("\x16\x03\x01");
  CHECK(SecureClient(proxy.port()).get("/").status() == 204);
  clock.advance(9'700 * kMilli);
  CHECK(SecureClient(proxy.port()).get("/").status() == 204);
  CHECK(client.stays_silent(Ms(20)));
  clock.advance(600 * kMilli);
  client.read_all();
}

TEST_CASE("request_head: 10 s from the first byte, whatever drips", "[timeouts]") {
  FakeUpstream up;
  Clockwork clockwork(Setup{.servers = {up.address()}});
  Client client(clockwork.port());
  client.send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 9; ++i) {
    clockwork.pass(kSecond);
    client.send("X: y\r\n");
  }
  clockwork.pass(700 * kMilli);
  CHECK(client.stays_silent(Ms(20)));
  clockwork.pass(600 * kMilli);
  CHECK(client.read_response().status() == 408);
  CHECK(client.ends());
}

TEST_CASE("request_body: a gap of 30 s", "[timeouts]") {
  FakeUpstream up;
  Clockwork clockwork(Setup{.servers = {up.address()}});
  Client client(clockwork.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + std::string(20'000, 'a'));
  REQUIRE(eventually([&] { return up.received().ends_with("aaa"); }));
  clockwork.pass(29'500 * kMilli);
  client.send(std::string(20'000, 'b'));
  REQUIRE(eventually([&] { return up.received().ends_with("bbb"); }));
  clockwork.pass(29'500 * kMilli);
  CHECK(client.stays_silent(Ms(20)));
  clockwork.pass(kSecond);
  CHECK(client.read_response().status() == 408);
  CHECK(eventually([&] { return up.open() == 0; }));
}

TEST_CASE("request_body: 240 bytes a second at least", "[timeouts]") {
  const bool enough = GENERATE(false, true);
  FakeUpstream up;
  Clockwork clockwork(Setup{.servers = {up.address()}});
  Client client(clockwork.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  bool cut = false;
  for (int second = 0; second < 90 && !cut; ++second) {
    client.send(std::string(enough ? 250 : 200, 'a'));
    clockwork.pass(kSecond);
    cut = !client.stays_silent(Ms(0));
  }
  CHECK(cut != enough);
  if (cut) CHECK(client.read_response().status() == 408);
}

TEST_CASE("connect: 5 s", "[timeouts]") {
  const Unanswering dead;
  if (!dead.works()) SKIP("this system completes connections beyond a listen backlog");
  Clockwork clockwork(Setup{.servers = {dead.address()}, .group = "retries: false"});
  Client client(clockwork.port());
  client.send(kGet);
  clockwork.pass(4'900 * kMilli);
  CHECK(client.stays_silent(Ms(20)));
  clockwork.pass(200 * kMilli);
  CHECK(client.read_response().status() == 504);
}

TEST_CASE("response: 60 s before the head", "[timeouts]") {
  FakeUpstream up(hang);
  Clockwork clockwork(Setup{.servers = {up.address()}, .listener = "timeouts: {idle: 4000s}"});
  Client client(clockwork.port());
  client.send(kGet);
  REQUIRE(eventually([&] { return up.requests() == 1; }));
  clockwork.pass(59 * kSecond);
  CHECK(client.stays_silent(Ms(20)));
  clockwork.pass(2 * kSecond);
  CHECK(client.read_response().status() == 504);
  CHECK(eventually([&] { return up.open() == 0; }));
}

TEST_CASE("response: counts from the request's last byte", "[timeouts]") {
  FakeUpstream up(hang);
  Clockwork clockwork(Setup{.servers = {up.address()}, .listener = "timeouts: {request_body: 1h}"});
  Client client(clockwork.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
  REQUIRE(eventually([&] { return up.received().ends_with("abc"); }));
  clockwork.pass(50 * kSecond);
  client.send("def");
  REQUIRE(eventually([&] { return up.requests() == 1; }));
  clockwork.pass(59 * kSecond);
  CHECK(client.stays_silent(Ms(20)));
  clockwork.pass(2 * kSecond);
  CHECK(client.read_response().status() == 504);
}

TEST_CASE("response: each gap in the body", "[timeouts]") {
  std::atomic<int> parts{0};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    for (int i = 0; i < 3; ++i) {
      eventually([&] { return parts > i; });
      c.write("x");
    }
    c.wait_for_close();
  });
  Clockwork clockwork(Setup{.servers = {up.address()}});
  Client client(clockwork.port());
  client.send(kGet);
  client.read_until("\r\n\r\n");
  for (int i = 0; i < 3; ++i) {
    clockwork.pass(59 * kSecond);
    ++parts;
    CHECK(client.read_exact(1) == "x");
  }
  clockwork.pass(61 * kSecond);
  CHECK(client.read_all().empty());
  CHECK(eventually([&] { return up.open() == 0; }));
  CHECK(clockwork.logged("response_timeout"));
}

TEST_CASE("send: 60 s for a client that reads nothing", "[timeouts]") {
  std::atomic<bool> gone{false}, full{false};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const std::string part(65'536, 'x');
    for (int refused = 0; refused < 50;) {
      refused = send_now(c.descriptor(), part) > 0 ? 0 : refused + 1;
      ::poll(nullptr, 0, refused > 0 ? 4 : 0);
    }
    full = true;
    gone = c.wait_for_close();
  });
  Clockwork clockwork(Setup{.servers = {up.address()}});
  Client client(connect_to(loopback(clockwork.port()), 4096));
  client.send(kGet);
  REQUIRE(eventually([&] { return full.load(); }));
  clockwork.pass(58 * kSecond);
  CHECK_FALSE(gone);
  clockwork.pass(3 * kSecond);
  CHECK(eventually([&] { return gone.load(); }));
  CHECK(clockwork.logged("send_timeout"));
}

TEST_CASE("tunnel: an hour, then 1001", "[timeouts]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    c.wait_for_close();
  });
  Clockwork clockwork(Setup{.servers = {up.address()}});
  Client client(clockwork.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  client.read_until("\r\n\r\n");
  clockwork.pass(3500 * kSecond);
  client.send(std::string("\x81\x80\0\0\0\0", 6));
  clockwork.pass(3500 * kSecond);
  CHECK(client.stays_silent(Ms(20)));
  clockwork.pass(200 * kSecond);
  CHECK(client.read_all() == std::string("\x88\x02\x03\xe9", 4));
  CHECK(eventually([&] { return up.open() == 0; }));
}

TEST_CASE("keep_alive.idle: 60 s", "[timeouts]") {
  FakeUpstream up(FakeUpstream::say("kept"));
  Clockwork clockwork(Setup{.servers = {up.address()}});
  CHECK(Client(clockwork.port()).get("/").body == "kept");
  clockwork.pass(58 * kSecond);
  CHECK(up.open() == 1);
  CHECK(Client(clockwork.port()).get("/").body == "kept");
  CHECK(up.connections() == 1);
  clockwork.pass(58 * kSecond);
  CHECK(up.open() == 1);
  clockwork.pass(3 * kSecond);
  CHECK(eventually([&] { return up.open() == 0; }));
}
