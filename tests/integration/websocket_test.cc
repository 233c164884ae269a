// WebSocket: the upgrade, bytes both ways, ends and the idle timeout (RFC 6455, conformance of tunnels).
#include <thread>

#include "tests/support/client.h"
#include "tests/support/failure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

const std::string kAsk =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: x\r\n\r\n";
const std::string kAccept =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
// A text frame as a server sends it, and a masked one (with a zero key) as a client does.
std::string frame(const std::string& text) { return "\x81" + std::string(1, static_cast<char>(text.size())) + text; }
std::string masked(const std::string& text) {
  return "\x81" + std::string(1, static_cast<char>(0x80 | text.size())) + std::string(4, '\0') + text;
}
const std::string kGoingAway("\x88\x02\x03\xe9", 4);
const std::string kMaskedGoingAway("\x88\x82\0\0\0\0\x03\xe9", 8);

Client upgraded(TestProxy& proxy) {
  Client client(proxy.port());
  client.send(kAsk);
  const std::string head = client.read_until("\r\n\r\n");
  if (!head.starts_with("HTTP/1.1 101 ")) throw Failure("no upgrade: " + head);
  return client;
}

// Accepts, then sends back what comes.
void echo(FakeConnection& c) {
  c.read_head();
  c.write(kAccept);
  for (std::string bytes = c.read_some(); !bytes.empty(); bytes = c.read_some()) c.write(bytes);
}

}  // namespace

TEST_CASE("a WebSocket is opened and carries bytes both ways", "[websocket]") {
  FakeUpstream up(echo);
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send(kAsk);
  const std::string head = lower_case(client.read_until("\r\n\r\n"));
  CHECK(head.starts_with("http/1.1 101 "));
  CHECK(head.find("connection: upgrade\r\n") != std::string::npos);
  CHECK(head.find("upgrade: websocket\r\n") != std::string::npos);
  CHECK(head.find("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n") != std::string::npos);
  CHECK(head.find("content-length") == std::string::npos);
  CHECK(head.find("transfer-encoding") == std::string::npos);
  const std::string asked = lower_case(up.received());
  CHECK(asked.find("connection: upgrade\r\n") != std::string::npos);
  CHECK(asked.find("upgrade: websocket\r\n") != std::string::npos);
  CHECK(asked.find("sec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n") != std::string::npos);
  CHECK(asked.find("keep-alive") == std::string::npos);
  for (int i = 0; i < 10; ++i) {
    const std::string text = masked("hello " + std::to_string(i));
    client.send(text);
    CHECK(client.read_exact(text.size()) == text);
  }
  client.close();
  CHECK(eventually([&] { return up.open() == 0; }));
  const auto line = proxy.log(1)[0];
  CHECK(line["status"] == 101);
}

TEST_CASE("bytes that come with the upgrade wait for the 101", "[websocket]") {
  std::atomic<bool> early{true};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_head();
    early = !c.silent(Ms(50));
    c.write(kAccept + frame("first"));
    const std::string bytes = c.read_exact(masked("early").size());
    c.write(bytes);
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send(kAsk + masked("early"));
  client.read_until("\r\n\r\n");
  CHECK(client.read_exact(frame("first").size()) == frame("first"));
  CHECK(client.read_exact(masked("early").size()) == masked("early"));
  CHECK_FALSE(early);
}

TEST_CASE("a refused upgrade is an ordinary answer, and what came with it is the next request", "[websocket]") {
  FakeUpstream up([](FakeConnection& c) {
    for (;;) {
      const std::string head = c.read_head();
      c.respond(head.starts_with("GET /chat ") ? 403 : 200, head.substr(0, head.find("\r\n")));
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send(kAsk + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.read_response().status() == 403);
  CHECK(client.read_response().body == "GET /next HTTP/1.1");
  CHECK(client.get("/third").body == "GET /third HTTP/1.1");
}

TEST_CASE("a WebSocket goes over a connection of its own", "[websocket]") {
  FakeUpstream up([](FakeConnection& c) {
    for (;;) {
      const std::string head = c.read_head();
      if (head.find("pgrade: websocket") != std::string::npos) {
        c.write(kAccept);
        c.write(c.read_exact(3));
        return;
      }
      c.respond(200, "plain");
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client plain(proxy.port());
  CHECK(plain.get("/").body == "plain");
  Client socket = upgraded(proxy);
  CHECK(plain.get("/").body == "plain");
  socket.send("abc");
  CHECK(socket.read_exact(3) == "abc");
  CHECK(socket.ends());
  CHECK(plain.get("/").body == "plain");
  CHECK(up.connections() == 2);
}

TEST_CASE("half-close passes through a tunnel, both ways", "[websocket]") {
  SECTION("the client's") {
    FakeUpstream up([](FakeConnection& c) {
      c.read_head();
      c.write(kAccept);
      std::string all;
      for (std::string bytes = c.read_some(); !bytes.empty(); bytes = c.read_some()) all += bytes;
      c.write("got " + all);
    });
    TestProxy proxy(Setup{.servers = {up.address()}});
    Client client = upgraded(proxy);
    client.send("all of it");
    client.half_close();
    CHECK(client.read_all() == "got all of it");
    CHECK(eventually([&] { return up.open() == 0; }));
  }
  SECTION("the server's") {
    std::atomic<std::size_t> late{0};
    FakeUpstream up([&](FakeConnection& c) {
      c.read_head();
      c.write(kAccept + frame("bye"));
      c.shutdown_write();
      late = c.read_exact(4).size();
    });
    TestProxy proxy(Setup{.servers = {up.address()}});
    Client client = upgraded(proxy);
    CHECK(client.read_all() == frame("bye"));
    client.send("late");
    CHECK(eventually([&] { return late == 4; }));
  }
}

TEST_CASE("when one side is reset the other goes within two seconds", "[websocket]") {
  SECTION("the server") {
    FakeUpstream up([](FakeConnection& c) {
      c.read_head();
      c.write(kAccept);
      c.read_exact(1);
      c.reset();
    });
    TestProxy proxy(Setup{.servers = {up.address()}});
    Client client = upgraded(proxy);
    client.send("x");
    const Stopwatch watch;
    client.read_all();
    CHECK(watch.seconds() < 2);
  }
  SECTION("the client") {
    std::atomic<bool> gone{false};
    FakeUpstream up([&](FakeConnection& c) {
      c.read_head();
      c.write(kAccept);
      gone = c.wait_for_close();
    });
    TestProxy proxy(Setup{.servers = {up.address()}});
    Client client = upgraded(proxy);
    client.reset();
    CHECK(eventually([&] { return gone.load(); }, Ms(2000)));
  }
}

TEST_CASE("an idle tunnel is told 1001 and closed", "[websocket]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.write(kAccept);
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {tunnel: 500ms}"});
  Client client = upgraded(proxy);
  for (int i = 0; i < 3; ++i) {
    client.send(masked("x"));
    CHECK(client.stays_silent(Ms(300)));
  }
  const Stopwatch watch;
  CHECK(client.read_all() == kGoingAway);
  CHECK(watch.seconds() < 2);
  CHECK(eventually([&] { return up.open() == 0; }));
  CHECK(up.received().ends_with(kMaskedGoingAway));
  CHECK(proxy.log(1)[0]["termination"] == "tunnel_timeout");
}

TEST_CASE("a tunnel outlives every other timer", "[websocket]") {
  FakeUpstream up(echo);
  TestProxy proxy(
      Setup{.servers = {up.address()},
            .listener = "timeouts: {idle: 1s, request_head: 200ms, request_body: 200ms, response: 1s, send: 300ms}"});
  Client client = upgraded(proxy);
  CHECK(client.stays_silent(Ms(1500)));
  client.send("still");
  CHECK(client.read_exact(5) == "still");
}

TEST_CASE("much goes through a tunnel both ways at once, and a side that does not read holds the other back",
          "[websocket]") {
  constexpr std::size_t kSize = 16U << 20;
  std::atomic<bool> read{false};
  std::atomic<std::size_t> got{0};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_head();
    c.write(kAccept);
    eventually([&] { return read.load(); });
    std::size_t n = 0;
    while (n < kSize) {
      const std::string bytes = c.read_some();
      if (bytes.empty()) return;
      n += bytes.size();
      got = n;
    }
    c.write(std::string(kSize, 'b'));
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client = upgraded(proxy);
  std::atomic<std::size_t> sent{0};
  std::thread sender([&] {
    const std::string part(65'536, 'a');
    while (sent < kSize && send_all(client.channel().descriptor(), part, Deadline()) == Got::kBytes)
      sent += part.size();
  });
  std::size_t last = ~std::size_t{0};
  CHECK(eventually([&] {
    const std::size_t now = sent;
    ::poll(nullptr, 0, 100);
    return std::exchange(last, now) == now;
  }));
  CHECK(sent < kSize);
  read = true;
  std::size_t received = 0;
  while (received < kSize) received += client.read_exact(std::min<std::size_t>(65'536, kSize - received)).size();
  sender.join();
  CHECK(got == kSize);
}
