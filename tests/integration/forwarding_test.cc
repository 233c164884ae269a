// What goes through: requests, answers, bodies and trailers, in every framing.
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

TEST_CASE("a request is forwarded and its answer comes back", "[forwarding]") {
  FakeUpstream up(FakeUpstream::say("hello", "X-Own: yes\r\n"));
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  const Message answer = client.get("/path?q=1");
  CHECK(answer.status() == 200);
  CHECK(answer.body == "hello");
  CHECK(answer.get("x-own") == "yes");
  CHECK(answer.get("content-length") == "5");
  CHECK(up.received().starts_with("GET /path?q=1 HTTP/1.1\r\nHost: test.example\r\n"));
}

TEST_CASE("both connections are kept for the next request", "[forwarding]") {
  FakeUpstream up(FakeUpstream::say("again"));
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 5; ++i) CHECK(client.get("/").body == "again");
  CHECK(up.connections() == 1);
  CHECK(up.requests() == 5);
}

TEST_CASE("three requests in one packet are answered in order", "[forwarding]") {
  FakeUpstream up([](FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      c.respond(200, m.target());
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  for (const char* path : {"/1", "/2", "/3"}) CHECK(client.read_response().body == path);
  CHECK(client.get("/4").body == "/4");
}

TEST_CASE("answers without a body end at their head", "[forwarding]") {
  const int status = GENERATE(200, 204, 304);
  FakeUpstream up([=](FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      if (status == 204) {
        c.write("HTTP/1.1 204 No Content\r\n\r\n");
      } else {
        c.write("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 10\r\n\r\n");
      }
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  const bool head = status == 200;
  for (int i = 0; i < 2; ++i) {
    client.send(std::string(head ? "HEAD" : "GET") + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    const Message answer = client.read_response(head);
    CHECK(answer.status() == status);
    CHECK(answer.get("content-length") == (status == 204 ? "" : "10"));
  }
  CHECK(client.stays_silent(Ms(20)));
}

TEST_CASE("the absolute form gives the host", "[forwarding]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("GET http://other.example:81/x?y HTTP/1.1\r\nHost: other.example:81\r\n\r\n");
  CHECK(client.read_response().body.starts_with("GET /x?y HTTP/1.1\r\nHost: other.example:81\r\n"));
  client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.read_response().body.starts_with("OPTIONS * HTTP/1.1\r\n"));
}

TEST_CASE("an HTTP/1.0 client is answered and let go, or kept if it asks", "[forwarding]") {
  FakeUpstream up(FakeUpstream::say("old"));
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client once(proxy.port());
  once.send("GET / HTTP/1.0\r\n\r\n");
  Message answer = once.read_response();
  CHECK(answer.body == "old");
  CHECK(once.ends());
  Client kept(proxy.port());
  for (int i = 0; i < 2; ++i) {
    kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    answer = kept.read_response();
    CHECK(answer.body == "old");
    CHECK(lower_case(answer.get("connection")) == "keep-alive");
  }
}

TEST_CASE("an HTTP/1.0 client gets a chunked answer without the coding", "[forwarding]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  Got how;
  const std::string all = client.read_all(&how);
  CHECK(how == Got::kEnd);
  CHECK(all.ends_with("\r\n\r\nabcdefg"));
  CHECK(lower_case(all).find("transfer-encoding") == std::string::npos);
}

TEST_CASE("chunked bodies and their trailers go through both ways", "[forwarding]") {
  std::string seen;
  FakeUpstream up([](FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
      for (const std::string& chunk : m.chunks) c.write(std::to_string(chunk.size()) + "\r\n" + chunk + "\r\n");
      c.write("0\r\nX-Sum: " + m.trailer("x-in") + "\r\n\r\n");
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 2; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3\r\nabc\r\n").send("5;ext=1\r\ndefgh\r\n").send("0\r\nX-In: 42\r\n\r\n");
    const Message answer = client.read_response();
    CHECK(answer.chunked);
    CHECK(answer.body == "abcdefgh");
    CHECK(answer.trailer("x-sum") == "42");
  }
  CHECK(up.received().find("ext=1") == std::string::npos);
}

TEST_CASE("an answer that ends with its connection ends properly at the client", "[forwarding]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\n\r\nall of it");
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 2; ++i) {
    const Message answer = client.get("/");
    CHECK(answer.chunked);
    CHECK(answer.body == "all of it");
  }
  CHECK(up.connections() == 2);
  Client old(proxy.port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(old.read_response().body == "all of it");
}

TEST_CASE("a server that speaks HTTP/1.0 is not kept", "[forwarding]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  CHECK(client.get("/").body == "ok");
  CHECK(client.get("/").body == "ok");
  CHECK(up.connections() == 2);
}

TEST_CASE("empty bodies keep their framing", "[forwarding]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  CHECK(lower_case(client.read_response().body).find("content-length: 0\r\n") != std::string::npos);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  CHECK(client.read_response().body.ends_with("\r\n\r\n0\r\n\r\n"));
}
