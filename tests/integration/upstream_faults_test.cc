// Servers that refuse, hang, die or lie: who is tried again, what the client sees, and that nothing leaks to the next
// one.
#include "tests/support/client.h"
#include "tests/support/failure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

TEST_CASE("a refused connect is retried on the other server", "[faults]") {
  std::uint16_t dead = 0;
  const Fd placeholder = refusing_port(dead);
  FakeUpstream up(FakeUpstream::say("alive"));
  TestProxy proxy(Setup{.servers = {loopback(dead), up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 6; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    const Message answer = client.read_response();
    CHECK(answer.status() == 200);
    CHECK(answer.body == "alive");
  }
  CHECK(up.requests() == 6);
  int twice = 0;
  for (const auto& line : proxy.log(6)) twice += line["attempts"] == 2 ? 1 : 0;
  CHECK(twice == 3);
}

TEST_CASE("two refused connects are a 502", "[faults]") {
  std::uint16_t one = 0, two = 0;
  const Fd first = refusing_port(one), second = refusing_port(two);
  TestProxy proxy(Setup{.servers = {loopback(one), loopback(two)}});
  Client client(proxy.port());
  CHECK(client.get("/").status() == 502);
  CHECK(client.get("/").status() == 502);
  const auto line = proxy.log(2)[0];
  CHECK(line["termination"] == "connect_refused");
  CHECK(line["attempts"] == 2);
}

TEST_CASE("a group without retries tries once", "[faults]") {
  std::uint16_t dead = 0;
  const Fd placeholder = refusing_port(dead);
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {loopback(dead), up.address()}, .group = "retries: false"});
  Client client(proxy.port());
  int bad = 0;
  for (int i = 0; i < 4; ++i) bad += client.get("/").status() == 502 ? 1 : 0;
  CHECK(bad == 2);
}

TEST_CASE("a server that hangs is a 504 and is let go at that moment", "[faults]") {
  std::atomic<bool> gone{false};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    gone = c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {response: 1s}"});
  Client client(proxy.port());
  const Stopwatch watch;
  CHECK(client.get("/").status() == 504);
  CHECK(watch.seconds() > 0.9);
  CHECK(watch.seconds() < 2.5);
  CHECK(eventually([&] { return gone.load(); }, Ms(500)));
  CHECK(up.requests() == 1);
  CHECK(proxy.log(1)[0]["termination"] == "response_timeout");
}

TEST_CASE("a fresh connection that dies before the head is a 502 without a second try", "[faults]") {
  const bool reset = GENERATE(false, true);
  const std::string method = GENERATE(std::string("GET"), std::string("POST"));
  FakeUpstream up([=](FakeConnection& c) {
    c.read_request();
    if (reset) c.reset();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send(method + " / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  CHECK(client.read_response().status() == 502);
  CHECK(up.connections() == 1);
  CHECK(up.requests() == 1);
  CHECK(proxy.log(1)[0]["termination"] == (reset ? "upstream_reset" : "upstream_closed"));
}

TEST_CASE("a GET on a kept connection that dies is served by a fresh one", "[faults]") {
  const bool reset = GENERATE(false, true);
  FakeUpstream up([=](FakeConnection& c) {
    c.read_request();
    c.respond(200, "first");
    c.read_request();
    if (c.index() == 0) {  // dies when it is asked again
      if (reset) c.reset();
      return;
    }
    c.respond(200, "second");
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  CHECK(client.get("/").body == "first");
  CHECK(client.get("/").body == "first");
  CHECK(up.connections() == 2);
  CHECK(up.requests() == 3);
  CHECK(proxy.log(2)[1]["attempts"] == 2);
}

TEST_CASE("a server that closes kept connections as the next request arrives costs no request, however often",
          "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.respond(200, "fresh");
    c.read_some();  // the next request, unanswered
    c.reset();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .group = "passive_check: {failures: 3}"});
  Client client(proxy.port());
  for (int i = 0; i < 200; ++i) CHECK(client.get("/").status() == 200);
  // Nobody is blamed for it either.
  const std::uint64_t failures = proxy.ask([](albatross::Process& p) {
    std::uint64_t n = 0;
    p.view().stats.visit([&n](const auto&, const auto&, const auto& servers, const auto&) {
      for (const auto& [name, id] : servers.names())
        n += servers.sum(name, [](const auto& s) { return s.failures.get(); });
    });
    return n;
  });
  CHECK(failures == 0);
}

TEST_CASE("a POST on a kept connection that dies is never replayed", "[faults]") {
  const bool reset = GENERATE(false, true);
  const std::string body = GENERATE(std::string("abc"), std::string());
  FakeUpstream up([=](FakeConnection& c) {
    c.read_request();
    c.respond(200, "first");
    c.read_request();
    if (reset) c.reset();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  CHECK(client.get("/").body == "first");
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  CHECK(client.read_response().status() == 502);
  CHECK(up.requests() == 2);
  CHECK(up.connections() == 1);
}

TEST_CASE("a PUT with a small body on a kept connection that dies is replayed whole", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.respond(200, "first");
    c.read_request();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  CHECK(client.get("/").body == "first");
  const std::string body(20'000, 'p');
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + body);
  CHECK(client.read_response().body == "first");
  CHECK(up.connections() == 2);
  CHECK(up.received(1).ends_with("\r\n\r\n" + body));
}

TEST_CASE("an idle connection that the server closed is not picked", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.respond(200, "once");
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 5; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    CHECK(client.read_response().body == "once");
    REQUIRE(eventually([&] { return up.open() == 0; }));
  }
  CHECK(up.requests() == 5);
}

TEST_CASE("an answer shorter than it said is visibly cut", "[faults]") {
  const bool reset = GENERATE(false, true);
  FakeUpstream up([=](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    if (reset) c.reset();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_THROWS_AS(client.read_response(), Truncated);
  const auto line = proxy.log(1)[0];
  CHECK(line["termination"] == "upstream_truncated");
  CHECK(line["status"] == 200);
}

TEST_CASE("a cut answer to an HTTP/1.0 client is a reset, for it has no other sign", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
    c.reset();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  Got how = Got::kTimeout;
  client.read_all(&how);
  CHECK(how == Got::kReset);
}

TEST_CASE("bytes behind an answer do not reach the next client", "[faults]") {
  const std::string extra =
      GENERATE(std::string("x"), std::string("\r\n"), std::string("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
  FakeUpstream up([=](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood" + extra);
    for (;;) {
      c.read_request();
      c.respond(200, "evil");
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  for (int i = 1; i <= 5; ++i) {
    Client client(proxy.port());
    CHECK(client.get("/").body == "good");
    CHECK(up.connections() == i);
  }
}

TEST_CASE("bytes that come later on an idle connection do not reach the next client", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.respond(200, "good");
    c.stall(Ms(20));
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  for (int i = 1; i <= 3; ++i) {
    Client client(proxy.port());
    CHECK(client.get("/").body == "good");
    CHECK(eventually([&] { return up.open() == 0; }));
  }
  CHECK(up.connections() == 3);
}

TEST_CASE("a connection is dropped a second before the server's patience ends", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    for (;;) {
      c.read_request();
      c.respond(200, "kept", "Keep-Alive: timeout=2, max=100\r\n");
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  CHECK(client.get("/").body == "kept");
  CHECK_FALSE(client.get("/").has("keep-alive"));
  const Stopwatch watch;
  CHECK(eventually([&] { return up.open() == 0; }));
  CHECK(watch.seconds() > 0.8);
  CHECK(watch.seconds() < 1.9);
}

TEST_CASE("an answer that drips is passed on as it comes", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.drip("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", 1, Ms(2));
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_until("\r\n\r\n0123");
  CHECK(client.read_until("9") == "456789");
}

TEST_CASE("a body that stalls is a reset after the response timeout", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {response: 1s}"});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const Stopwatch watch;
  CHECK_THROWS_AS(client.read_response(), Truncated);
  CHECK(watch.seconds() > 0.9);
  CHECK(watch.seconds() < 2.5);
  CHECK(eventually([&] { return up.open() == 0; }, Ms(500)));
  CHECK(proxy.log(1)[0]["termination"] == "response_timeout");
}

TEST_CASE("a body whose gaps are short may take longer than the response timeout", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    c.drip("0123456789", 1, Ms(200));
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {response: 1s}"});
  Client client(proxy.port());
  CHECK(client.get("/").body == "0123456789");
}
