// Clients that leave, stall, drip or never read.
#include "tests/support/client.h"
#include "tests/support/failure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

TEST_CASE("a client that leaves while it waits cancels the request", "[faults]") {
  const int way = GENERATE(0, 1, 2);
  std::atomic<bool> gone{false};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    gone = c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(eventually([&] { return up.requests() == 1; }));
  const Stopwatch watch;
  if (way == 0) client.close();
  if (way == 1) client.reset();
  if (way == 2) client.half_close();
  CHECK(eventually([&] { return gone.load(); }));
  CHECK(watch.seconds() < 1);
  const auto line = proxy.log(1)[0];
  CHECK(line["status"] == 499);
  CHECK(line["termination"] == "client_left");
}

TEST_CASE("a client may half-close where the listener says so", "[faults]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.stall(Ms(50));
    c.respond(200, "late");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "half_close: true"});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.half_close();
  CHECK(client.read_response().body == "late");
  CHECK(client.ends());
}

TEST_CASE("a client that leaves within the answer cancels it", "[faults]") {
  std::atomic<bool> gone{false};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (c.drip("400\r\n" + std::string(1024, 'x') + "\r\n", 4096, Ms(0))) {
    }
    gone = true;
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_until("xxxx");
  if (GENERATE(false, true)) {
    client.reset();
  } else {
    client.close();
  }
  CHECK(eventually([&] { return gone.load(); }));
  CHECK(proxy.log(1)[0]["termination"] == "client_left");
}

TEST_CASE("half a body and then the end cancels the request", "[faults]") {
  const bool reset = GENERATE(false, true);
  const bool chunked = GENERATE(false, true);
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\n" +
              std::string(chunked ? "Transfer-Encoding: chunked\r\n\r\n64\r\nabc" : "Content-Length: 100\r\n\r\nabc"));
  REQUIRE(eventually([&] { return up.received().ends_with("abc") || up.received().ends_with("abc\r\n"); }));
  if (reset) {
    client.reset();
  } else {
    client.half_close();
  }
  CHECK(eventually([&] { return up.connections() == 1 && up.open() == 0; }));
  CHECK(up.requests() == 0);
  CHECK(up.received().find("\r\n0\r\n\r\n") == std::string::npos);
  CHECK(proxy.log(1)[0]["termination"] == "client_left");
}

TEST_CASE("a head that drips is a 408 at the absolute deadline", "[faults]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {request_head: 500ms}"});
  Client client(proxy.port());
  const Stopwatch watch;
  client.drip("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: " + std::string(1000, 'a'), 1, Ms(20));
  const Message answer = client.read_response();
  CHECK(answer.status() == 408);
  CHECK(lower_case(answer.get("connection")) == "close");
  CHECK(client.ends());
  CHECK(watch.seconds() > 0.45);
  CHECK(watch.seconds() < 1.5);
  CHECK(up.connections() == 0);
  const auto line = proxy.log(1)[0];
  CHECK(line["status"] == 408);
  CHECK(line["termination"] == "head_timeout");
}

TEST_CASE("the head's deadline holds for the second request too", "[faults]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {request_head: 300ms}"});
  Client client(proxy.port());
  CHECK(client.get("/").status() == 200);
  SECTION("begun later") { client.send("GET / HT"); }
  SECTION("begun in the packet of the first") {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT");
    CHECK(client.read_response().status() == 200);
  }
  const Stopwatch watch;
  CHECK(client.read_response().status() == 408);
  CHECK(watch.seconds() < 1.5);
}

TEST_CASE("a body that stops is a 408 and cancels the upstream", "[faults]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {request_body: 400ms}"});
  Client client(proxy.port());
  const Stopwatch watch;
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
  const Message answer = client.read_response();
  CHECK(answer.status() == 408);
  CHECK(watch.seconds() > 0.35);
  CHECK(watch.seconds() < 1.5);
  CHECK(client.ends());
  CHECK(eventually([&] { return up.open() == 0; }, Ms(1000)));
  CHECK(proxy.log(1)[0]["termination"] == "body_timeout");
}

TEST_CASE("a body under 240 bytes a second is a 408", "[faults]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {request_body: 500ms}"});
  Client client(proxy.port());
  const Stopwatch watch;
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n");
  client.drip(std::string(200, 'a'), 1, Ms(50));
  CHECK(client.read_response().status() == 408);
  CHECK(watch.seconds() < 4);
}

TEST_CASE("a client that reads nothing is closed after the send timeout", "[faults]") {
  std::atomic<bool> gone{false};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (c.drip("4000\r\n" + std::string(16'384, 'x') + "\r\n", 65'536, Ms(0))) {
    }
    gone = true;
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {send: 700ms}"});
  Client client(connect_to(loopback(proxy.port()), 4096));
  const Stopwatch watch;
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(eventually([&] { return gone.load(); }));
  CHECK(watch.seconds() > 0.6);
  CHECK(watch.seconds() < 4);
  CHECK(proxy.log(1)[0]["termination"] == "send_timeout");
}

TEST_CASE("a slow reader is not a dead one", "[faults]") {
  const std::string body(300'000, 'z');
  FakeUpstream up(FakeUpstream::say(body));
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {send: 500ms}"});
  Client client(connect_to(loopback(proxy.port()), 4096));
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_until("\r\n\r\n");
  const Stopwatch watch;
  std::size_t got = 0;
  while (got < body.size() && watch.seconds() < 8) {
    const std::size_t n = std::min<std::size_t>(6000, body.size() - got);
    got += client.read_exact(n).size();
    ::poll(nullptr, 0, 20);
  }
  CHECK(got == body.size());
  CHECK(client.get("/").status() == 200);
}

TEST_CASE("an idle connection is closed after its time", "[faults]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {idle: 1s}"});
  Client used(proxy.port()), unused(proxy.port());
  CHECK(used.get("/").status() == 200);
  const Stopwatch watch;
  CHECK(used.ends());
  CHECK(unused.ends());
  CHECK(watch.seconds() > 0.8);
  CHECK(watch.seconds() < 2.5);
}

TEST_CASE("a client that keeps its connection busy with other requests is not idle", "[faults]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {idle: 1s}"});
  Client client(proxy.port());
  for (int i = 0; i < 5; ++i) {
    CHECK(client.get("/").status() == 200);
    CHECK(client.stays_silent(Ms(400)));
  }
}
