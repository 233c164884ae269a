// Timers with short values over real sockets, besides those of the fault tests: handshake, connect, total, kept
// connections.
#include "tests/integration/secure.h"
#include "tests/integration/timers.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("a client that does not finish its TLS handshake is closed", "[timeouts]") {
  const auto folder = std::make_shared<TempDir>();
  Authority().issue("a", "DNS:a").write(*folder, "a");
  const Setup setup{.listener = "certificates: [{cert: a.pem, key: a.key}]\ntimeouts: {handshake: 400ms}",
                    .actions = "- fixed_response: {body: here}",
                    .protocol = "https"};
  TestProxy proxy(setup.yaml(), {}, folder);
  Client client(proxy.port());
  const Stopwatch watch;
  SECTION("silent") {}
  SECTION("dripping") { client.drip("\x16\x03\x01\x02" + std::string(100, '\0'), 1, Ms(50)); }
  const std::string got = client.read_all();
  CHECK(watch.seconds() > 0.35);
  CHECK(watch.seconds() < 2);
  CHECK(got.find("HTTP/") == std::string::npos);
  SecureClient good(proxy.port());
  CHECK(good.get("/").body == "here");
  CHECK(good.stays_silent(Ms(600)));
  CHECK(good.get("/").body == "here");
}

TEST_CASE("a connect that does not end is a 504 after one more server", "[timeouts]") {
  const Unanswering first, second;
  if (!first.works() || !second.works()) SKIP("this system completes connections beyond a listen backlog");
  TestProxy proxy(Setup{.servers = {first.address(), second.address()}, .group = "timeouts: {connect: 300ms}"});
  Client client(proxy.port());
  const Stopwatch watch;
  CHECK(client.get("/").status() == 504);
  CHECK(watch.seconds() > 0.5);
  CHECK(watch.seconds() < 2);
  auto line = proxy.log(1)[0];
  CHECK(line["termination"] == "connect_timeout");
  CHECK(line["attempts"] == 2);
}

TEST_CASE("a connect that does not end goes on at the next server", "[timeouts]") {
  const Unanswering dead;
  if (!dead.works()) SKIP("this system completes connections beyond a listen backlog");
  FakeUpstream up(FakeUpstream::say("alive"));
  TestProxy proxy(Setup{.servers = {dead.address(), up.address()}, .group = "timeouts: {connect: 300ms}"});
  Client client(proxy.port());
  for (int i = 0; i < 4; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(client.read_response().body == "alive");
  }
  CHECK(up.requests() == 4);
}

TEST_CASE("a client that leaves while its server is connected to is a 499", "[timeouts]") {
  const Unanswering dead;
  if (!dead.works()) SKIP("this system completes connections beyond a listen backlog");
  TestProxy proxy(Setup{.servers = {dead.address()}});
  Client client(proxy.port());
  client.send(kGet);
  CHECK(client.stays_silent(Ms(50)));
  const Stopwatch watch;
  client.close();
  auto line = proxy.log(1)[0];
  CHECK(watch.seconds() < 1);
  CHECK(line["status"] == 499);
  CHECK(line["termination"] == "client_left");
}

TEST_CASE("the total time of an exchange is a 504 before the head and a cut after it", "[timeouts]") {
  const bool head = GENERATE(false, true);
  FakeUpstream up([=](FakeConnection& c) {
    c.read_request();
    if (head) c.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    if (head) c.drip(std::string(1000, 'x'), 1, Ms(50));
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {total: 500ms}"});
  Client client(proxy.port());
  client.send(kGet);
  const Stopwatch watch;
  if (head) {
    CHECK_THROWS_AS(client.read_response(), Truncated);
  } else {
    CHECK(client.read_response().status() == 504);
  }
  CHECK(watch.seconds() > 0.4);
  CHECK(watch.seconds() < 2);
  CHECK(eventually([&] { return up.open() == 0; }, Ms(500)));
  CHECK(proxy.log(1)[0]["termination"] == "total_timeout");
}

TEST_CASE("the total time counts the request's body and the connect too", "[timeouts]") {
  const Unanswering dead;
  FakeUpstream up;
  const bool body = GENERATE(false, true);
  if (!body && !dead.works()) SKIP("this system completes connections beyond a listen backlog");
  TestProxy proxy(Setup{.servers = {body ? up.address() : dead.address()}, .listener = "timeouts: {total: 500ms}"});
  Client client(proxy.port());
  const Stopwatch watch;
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  if (body) client.drip(std::string(100'000, 'x'), 1000, Ms(50));
  CHECK(client.read_response().status() == 504);
  CHECK(watch.seconds() > 0.4);
  CHECK(watch.seconds() < 2);
  CHECK(proxy.log(1)[0]["termination"] == "total_timeout");
}

TEST_CASE("a kept connection to a server is closed after its idle time", "[timeouts]") {
  FakeUpstream up(FakeUpstream::say("kept"));
  TestProxy proxy(Setup{.servers = {up.address()}, .group = "keep_alive: {idle: 500ms}"});
  Client client(proxy.port());
  for (int i = 0; i < 3; ++i) {
    CHECK(client.get("/").body == "kept");
    CHECK(client.stays_silent(Ms(250)));
  }
  CHECK(up.connections() == 1);
  const Stopwatch watch;
  CHECK(eventually([&] { return up.open() == 0; }));
  CHECK(watch.seconds() < 1.5);
  CHECK(client.get("/").body == "kept");
  CHECK(up.connections() == 2);
}

TEST_CASE("a group's response timeout narrows the listener's", "[timeouts]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.wait_for_close();
  });
  TestProxy proxy(
      Setup{.servers = {up.address()}, .listener = "timeouts: {response: 60s}", .group = "timeouts: {response: 1s}"});
  Client client(proxy.port());
  const Stopwatch watch;
  CHECK(client.get("/").status() == 504);
  CHECK(watch.seconds() > 0.9);
  CHECK(watch.seconds() < 3);
}

TEST_CASE("time in which the server takes nothing is not held against the client's body", "[timeouts]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.stall(Ms(1200));
    c.read_exact(8U << 20);
    c.respond(200, "all");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {request_body: 300ms, response: 10s}"});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
  client.send(std::string(8U << 20, 'b'));
  CHECK(client.read_response().body == "all");
}
