// The process drains at stop(): what runs ends properly, what is idle is told, what is too long is cut, and run()
// returns.
#include "tests/support/client.h"
#include "tests/support/failure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross;
using namespace albatross::test;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kUpgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string kSwitching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string kGoingAway("\x88\x02\x03\xe9", 4);
const std::string kMaskedGoingAway("\x88\x82\0\0\0\0\x03\xe9", 8);

bool closes(const Message& m) { return lower_case(m.get("connection")) == "close"; }

// Reads a request, and answers when it may.
FakeUpstream::Handler answers_when(const std::atomic<bool>& may) {
  return [&may](FakeConnection& c) {
    c.read_request();
    eventually([&] { return may.load(); });
    c.respond(200, "in time");
    c.wait_for_close();
  };
}

}  // namespace

TEST_CASE("stop lets a request that is under way finish, and says that it was the last", "[drain]") {
  std::atomic<bool> answer{false};
  FakeUpstream up(answers_when(answer));
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 20s}", .workers = 2});
  Client client(proxy.port());
  client.send(kGet);
  REQUIRE(eventually([&] { return up.requests() == 1; }));
  proxy.stop();
  REQUIRE(eventually([&] { return proxy.said("draining"); }));
  CHECK_FALSE(proxy.stopped());
  answer = true;
  const Message m = client.read_response();
  CHECK(m.status() == 200);
  CHECK(m.body == "in time");
  CHECK(closes(m));
  CHECK(client.ends());
  CHECK(proxy.wait_until_stopped(Ms(3000)));
  CHECK(proxy.said("drained"));
}

TEST_CASE("a body that comes down during the drain comes whole", "[drain]") {
  std::atomic<bool> go{false};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
    eventually([&] { return go.load(); });
    c.write("56789");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 20s}"});
  Client client(proxy.port());
  client.send(kGet);
  client.read_until("01234");
  proxy.stop();
  REQUIRE(eventually([&] { return proxy.said("draining"); }));
  go = true;
  CHECK(client.read_exact(5) == "56789");
  CHECK(client.ends());
  CHECK(proxy.wait_until_stopped(Ms(3000)));
}

TEST_CASE("an idle connection is served once more during the window", "[drain]") {
  TestProxy proxy(Setup{.top = "shutdown: {drain: 20s}", .actions = "- fixed_response: {body: here}"});
  Client asks(proxy.port()), silent(proxy.port());
  CHECK(asks.get("/").body == "here");
  CHECK(silent.get("/").body == "here");
  proxy.stop();
  REQUIRE(eventually([&] { return proxy.said("draining"); }));
  const Message last = asks.get("/");
  CHECK(last.body == "here");
  CHECK(closes(last));
  CHECK(asks.ends());
  CHECK(silent.ends());
  CHECK(proxy.wait_until_stopped(Ms(12'000)));
}

TEST_CASE("the closes of idle connections are spread over the window", "[drain]") {
  TestProxy proxy(Setup{.top = "shutdown: {drain: 2s}", .actions = "- fixed_response: {body: here}"});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<Client>(proxy.port()));
    CHECK(clients.back()->get("/").body == "here");
  }
  const Stopwatch watch;
  proxy.stop();
  std::vector<double> at;
  for (auto& c : clients) {
    CHECK(c->ends());
    at.push_back(watch.seconds());
  }
  CHECK(at.front() < 0.8);
  CHECK(at.back() > 0.5);
  CHECK(at.back() < 2);
  CHECK(proxy.wait_until_stopped(Ms(3000)));
}

TEST_CASE("nobody new is taken during the drain", "[drain]") {
  std::atomic<bool> answer{false};
  FakeUpstream up(answers_when(answer));
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 20s}"});
  Client client(proxy.port());
  client.send(kGet);
  REQUIRE(eventually([&] { return up.requests() == 1; }));
  const std::uint16_t port = proxy.port();
  proxy.stop();
  REQUIRE(eventually([&] { return proxy.said("draining"); }));
  bool answered = false;
  try {
    Client late(port);
    late.send(kGet);
    answered = !late.stays_silent(Ms(200)) && late.held().starts_with("HTTP/1.1 200");
  } catch (const std::runtime_error&) {
  }
  CHECK_FALSE(answered);
  answer = true;
  CHECK(client.read_response().body == "in time");
}

TEST_CASE("at the deadline a request without an answer is cut with a 500", "[drain]") {
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 700ms}"});
  Client client(proxy.port());
  client.send(kGet);
  REQUIRE(eventually([&] { return up.requests() == 1; }));
  const Stopwatch watch;
  proxy.stop();
  const Message m = client.read_response();
  CHECK(m.status() == 500);
  CHECK(closes(m));
  CHECK(watch.seconds() > 0.6);
  CHECK(watch.seconds() < 2.5);
  CHECK(client.ends());
  CHECK(proxy.wait_until_stopped(Ms(4000)));
  CHECK(proxy.log(1)[0]["termination"] == "drain_cut");
}

TEST_CASE("at the deadline an answer that has begun is visibly cut", "[drain]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 500ms}"});
  Client client(proxy.port());
  client.send(kGet);
  proxy.stop();
  CHECK_THROWS_AS(client.read_response(), Truncated);
  CHECK(proxy.wait_until_stopped(Ms(4000)));
  CHECK(proxy.log(1)[0]["termination"] == "drain_cut");
}

TEST_CASE("a client that does not go away does not keep the process", "[drain]") {
  TestProxy proxy(Setup{.top = "shutdown: {drain: 500ms}", .actions = "- fixed_response: {body: here}"});
  Client begun(proxy.port()), silent(proxy.port());
  begun.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Le");
  silent.get("/");
  const Stopwatch watch;
  proxy.stop();
  CHECK(proxy.wait_until_stopped(Ms(6000)));
  CHECK(watch.seconds() < 4);
}

TEST_CASE("a WebSocket gets 1001 at once on both sides when no frame is under way", "[drain]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.write(kSwitching);
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 20s}"});
  Client client(proxy.port());
  client.send(kUpgrade);
  client.read_until("\r\n\r\n");
  proxy.stop();
  CHECK(client.read_all() == kGoingAway);
  CHECK(eventually([&] { return up.open() == 0; }));
  CHECK(up.received().ends_with(kMaskedGoingAway));
  CHECK(proxy.wait_until_stopped(Ms(5000)));
  CHECK(proxy.log(1)[0]["termination"] == "drain_cut");
}

TEST_CASE("a WebSocket's frame under way is finished before the 1001, either way", "[drain]") {
  const bool from_server = GENERATE(true, false);
  std::atomic<bool> go{false};
  const std::string head = from_server ? "\x81\x0a" : std::string("\x81\x8a\0\0\0\0", 6);
  FakeUpstream up([&](FakeConnection& c) {
    c.read_head();
    c.write(kSwitching);
    if (from_server) {
      c.write(head + "01234");
      eventually([&] { return go.load(); });
      c.write("56789\x81\x03ne");  // and the beginning of another one
    }
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 20s}"});
  Client client(proxy.port());
  client.send(kUpgrade);
  client.read_until("\r\n\r\n");
  if (from_server) {
    CHECK(client.read_exact(7) == head + "01234");
  } else {
    client.send(head + "01234");
    REQUIRE(eventually([&] { return up.received().ends_with("01234"); }));
  }
  proxy.stop();
  REQUIRE(eventually([&] { return proxy.said("draining"); }));
  if (from_server) {
    go = true;
    CHECK(client.read_all() == "56789" + kGoingAway);
  } else {
    client.send("56789");
    CHECK(client.read_all() == kGoingAway);
  }
  CHECK(eventually([&] { return up.open() == 0; }));
  const std::string all = up.received();
  CHECK(all.ends_with((from_server ? "" : head + "0123456789") + kMaskedGoingAway));
  CHECK(proxy.wait_until_stopped(Ms(5000)));
}

TEST_CASE("a WebSocket whose frame never ends is cut at the deadline", "[drain]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.write(kSwitching + "\x81\x0a" + "01234");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 700ms}"});
  Client client(proxy.port());
  client.send(kUpgrade);
  client.read_until("01234");
  const Stopwatch watch;
  proxy.stop();
  CHECK(client.read_all().find(kGoingAway) == std::string::npos);  // it would be payload
  CHECK(watch.seconds() > 0.5);
  CHECK(proxy.wait_until_stopped(Ms(5000)));
}

TEST_CASE("during the delay everything is served as ever", "[drain]") {
  TestProxy proxy(Setup{.top = "shutdown: {delay: 800ms, drain: 1s}", .actions = "- fixed_response: {body: here}"});
  Client kept(proxy.port());
  CHECK(kept.get("/").body == "here");
  const Stopwatch watch;
  proxy.stop();
  REQUIRE(eventually([&] { return proxy.ask([](Process& s) { return s.view().draining; }); }));
  const Message m = kept.get("/");
  CHECK(m.body == "here");
  CHECK_FALSE(closes(m));
  CHECK(Client(proxy.port()).get("/").body == "here");
  CHECK(kept.ends());
  CHECK(watch.seconds() > 0.7);
  CHECK(proxy.wait_until_stopped(Ms(4000)));
}

TEST_CASE("a second stop ends at once", "[drain]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {delay: 10s, drain: 20s}"});
  Client client(proxy.port());
  client.send(kGet);
  REQUIRE(eventually([&] { return up.requests() == 1; }));
  proxy.stop();
  CHECK(eventually([&] { return proxy.said("the drain begins in 10 s"); }));
  proxy.stop();
  CHECK(proxy.wait_until_stopped(Ms(2000)));
}

TEST_CASE("a process that serves nobody stops at once", "[drain]") {
  TestProxy proxy(Setup{.top = "shutdown: {drain: 30s}", .actions = "- fixed_response: {}", .workers = 2});
  { Client(proxy.port()).get("/"); }
  proxy.stop();
  CHECK(proxy.wait_until_stopped(Ms(3000)));
}
