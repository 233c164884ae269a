// 100, 103 and Expect (RFC 9110 §10.1.1, §15.2).
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {
const std::string kPost = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n";
}

TEST_CASE("a 100 goes to a client that asked for it", "[forwarding]") {
  FakeUpstream up([](FakeConnection& c) {
    for (;;) {
      const std::string head = lower_case(c.read_head());
      if (head.find("\r\nexpect: 100-continue\r\n") != std::string::npos) {
        if (!c.silent(Ms(30))) return;  // the client waits, and so does its body
        c.write("HTTP/1.1 100 Continue\r\n\r\n");
      }
      c.respond(200, c.read_exact(3));
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 2; ++i) {
    client.send(kPost + "Expect: 100-continue\r\n\r\n");
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 100 "));
    client.send("abc");
    const Message answer = client.read_response();
    CHECK(answer.body == "abc");
    CHECK(answer.informational.empty());
  }
  client.send(kPost + "\r\nxyz");
  CHECK(client.read_response().body == "xyz");
}

TEST_CASE("a 100 that nobody asked for is swallowed", "[forwarding]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 100 Continue\r\n\r\n");
    c.respond(200, "ok");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send(kPost + "\r\nabc");
  const Message answer = client.read_response();
  CHECK(answer.informational.empty());
  CHECK(answer.body == "ok");
}

TEST_CASE("a client that asked and then sends without waiting is served", "[forwarding]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send(kPost + "Expect: 100-continue\r\n\r\nabc");
  CHECK(client.read_response().body.ends_with("abc"));
  CHECK(client.get("/").status() == 200);
}

TEST_CASE("a final answer instead of the 100 ends the request", "[forwarding]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.respond(401, "no");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send(kPost + "Expect: 100-continue\r\n\r\n");
  const Message answer = client.read_response();
  CHECK(answer.status() == 401);
  CHECK(answer.body == "no");
  // Whether or not the body comes now, it is never a request; this proxy closes.
  CHECK(lower_case(answer.get("connection")) == "close");
  CHECK(client.ends());
}

TEST_CASE("103 goes to HTTP/1.1 clients, with its fields", "[forwarding]") {
  FakeUpstream up([](FakeConnection& c) {
    for (;;) {
      c.read_request();
      c.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n");
      c.respond(200, "ok");
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 2; ++i) {
    const Message answer = client.get("/");
    REQUIRE(answer.informational.size() == 2);
    CHECK(answer.informational[0].status() == 103);
    CHECK(answer.informational[0].get("link") == "</a>");
    CHECK(answer.informational[1].get("link") == "</b>");
    CHECK(answer.body == "ok");
  }
  Client old(proxy.port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  const Message answer = old.read_response();
  CHECK(answer.informational.empty());
  CHECK(answer.body == "ok");
}

TEST_CASE("an early hint goes out before the answer is there", "[forwarding]") {
  std::atomic<bool> seen{false};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    if (eventually([&] { return seen.load(); })) c.respond(200, "ok");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 103 "));
  seen = true;
  CHECK(client.read_response().body == "ok");
}
