// Reload: a bad file changes nothing, a good one changes only what it says, and what runs is left in peace.
#include "tests/integration/secure.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross;
using namespace albatross::test;
using Catch::Matchers::ContainsSubstring;

namespace {

Setup saying(const std::string& text) { return {.actions = "- fixed_response: {body: " + text + "}"}; }

// Listeners of these names and binds, each of which says its name.
std::string listeners(const std::vector<std::pair<std::string, std::string>>& list, const std::string& drain = "1s") {
  std::string out = "listeners:\n";
  for (const auto& [name, bind] : list) {
    out += "  - {name: " + name + ", bind: \"" + bind +
           "\", protocol: http, default_actions: [{fixed_response: {body: " + name + "}}]}\n";
  }
  return out + "shutdown: {drain: " + drain + "}\nworkers: 1\n";
}

bool refuses(std::uint16_t port) {
  try {
    Client client(port);
    return false;
  } catch (const std::runtime_error&) {
    return true;
  }
}

void tunnel_echo(FakeConnection& c) {
  c.read_head();
  c.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  for (std::string bytes = c.read_some(); !bytes.empty(); bytes = c.read_some()) c.write(bytes);
}

}  // namespace

TEST_CASE("rules change on connections that are kept", "[reload]") {
  TestProxy proxy(saying("one"));
  Client client(proxy.port());
  CHECK(client.get("/").body == "one");
  const ReloadResult result = proxy.reload(saying("two"));
  CHECK(result.ok);
  CHECK_THAT(result.message, ContainsSubstring("is in force"));
  CHECK(eventually([&] { return client.get("/").body == "two"; }));
  CHECK(Client(proxy.port()).get("/").body == "two");
}

TEST_CASE("a bad file changes nothing and says why", "[reload]") {
  TestProxy proxy(saying("one"));
  Client client(proxy.port());
  CHECK(client.get("/").body == "one");
  const auto port = proxy.port();
  std::string bad, says;
  SECTION("no YAML") { bad = "listeners: [", says = "albatross.yaml:"; }
  SECTION("an unknown key") { bad = saying("two").yaml() + "lisstener: 1\n", says = "lisstener"; }
  SECTION("an unknown group") {
    bad = Setup{.actions = "- forward: nobody"}.yaml();
    says = "nobody";
  }
  SECTION("a regex that does not compile") {
    bad = Setup{.listener =
                    "rules: [{name: r, priority: 1, conditions: [{path: \"~(\"}], actions: [{fixed_response: {code: "
                    "200}}]}]",
                .actions = "- fixed_response: {body: two}"}
              .yaml();
    says = "missing )";
  }
  SECTION("a certificate that is not there") {
    bad = Setup{.listener = "certificates: [{cert: gone.pem, key: gone.key}]",
                .actions = "- fixed_response: {body: two}",
                .protocol = "https"}
              .yaml();
    says = "gone.pem";
  }
  SECTION("a port that somebody else has") {
    std::uint16_t taken = 0;
    const Fd holder = listen_on("127.0.0.1:0", taken);
    const std::string yaml = listeners({{"web", "127.0.0.1:0"}, {"more", loopback(taken)}});
    const ReloadResult result = proxy.reload(yaml);
    CHECK_FALSE(result.ok);
    CHECK_THAT(result.message, ContainsSubstring(std::to_string(taken)));
    CHECK(client.get("/").body == "one");
    CHECK(proxy.port("more") == 0);
    return;
  }
  const ReloadResult result = proxy.reload(bad);
  CHECK_FALSE(result.ok);
  CHECK_THAT(result.message, ContainsSubstring(says));
  CHECK_THAT(result.message, ContainsSubstring("nothing was changed"));
  CHECK(client.get("/").body == "one");
  CHECK(proxy.port() == port);
  CHECK(Client(port).get("/").body == "one");
  CHECK(proxy.ask([](Process& s) { return s.view().failed_reloads; }) == 1);
  CHECK(proxy.reload(saying("three")).ok);
  CHECK(eventually([&] { return client.get("/").body == "three"; }));
}

TEST_CASE("a file that has gone changes nothing", "[reload]") {
  TestProxy proxy(saying("one"));
  Client client(proxy.port());
  CHECK(client.get("/").body == "one");
  std::filesystem::remove(proxy.folder().file("albatross.yaml"));
  std::promise<ReloadResult> answer;
  auto future = answer.get_future();
  proxy.ask([&](Process& s) {
    s.reload([&](const ReloadResult& r) { answer.set_value(r); });
    return 0;
  });
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  const ReloadResult result = future.get();
  CHECK_FALSE(result.ok);
  CHECK_THAT(result.message, ContainsSubstring("albatross.yaml"));
  CHECK(client.get("/").body == "one");
}

TEST_CASE("a listener that is removed drains, and its next answer is the last", "[reload]") {
  TestProxy proxy(listeners({{"a", "127.0.0.1:0"}, {"b", "127.0.0.1:0"}}, "5s"));
  const std::uint16_t a = proxy.port("a"), b = proxy.port("b");
  Client kept(a), idle(a), other(b);
  CHECK(kept.get("/").body == "a");
  CHECK(idle.get("/").body == "a");
  CHECK(other.get("/").body == "b");
  CHECK(proxy.reload(listeners({{"b", "127.0.0.1:0"}}, "5s")).ok);
  CHECK(eventually([&] { return refuses(a); }));
  const Message last = kept.get("/");
  CHECK(last.status() == 200);
  CHECK(last.body == "a");
  CHECK(lower_case(last.get("connection")) == "close");
  CHECK(kept.ends());
  CHECK(idle.ends());
  const Message on = other.get("/");
  CHECK(on.body == "b");
  CHECK(lower_case(on.get("connection")) != "close");
}

TEST_CASE("a request that is under way on a removed listener ends properly", "[reload]") {
  std::atomic<bool> answer{false};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    eventually([&] { return answer.load(); });
    c.respond(200, "in time");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 10s}"});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(eventually([&] { return up.requests() == 1; }));
  const auto port = proxy.port();
  CHECK(proxy.reload(listeners({{"other", "127.0.0.1:0"}}, "10s")).ok);
  CHECK(eventually([&] { return refuses(port); }));
  answer = true;
  const Message m = client.read_response();
  CHECK(m.body == "in time");
  CHECK(lower_case(m.get("connection")) == "close");
  CHECK(client.ends());
}

TEST_CASE("a changed bind takes connections at the new place only", "[reload]") {
  TestProxy proxy(listeners({{"web", "127.0.0.1:0"}}));
  const std::uint16_t before = proxy.port();
  Client kept(before);
  CHECK(kept.get("/").body == "web");
  CHECK(proxy.reload(listeners({{"web", "127.0.0.2:0"}})).ok);
  const std::uint16_t after = proxy.port();
  CHECK(Client("127.0.0.2:" + std::to_string(after)).get("/").body == "web");
  CHECK(eventually([&] { return refuses(before); }));
  CHECK(proxy.reload(listeners({{"web", "127.0.0.1:0"}})).ok);
  CHECK(Client(proxy.port()).get("/").body == "web");
}

TEST_CASE("an unchanged listener keeps its port and what waits in its queue", "[reload]") {
  TestProxy proxy(listeners({{"web", "127.0.0.1:0"}}));
  const std::uint16_t port = proxy.port();
  std::atomic<bool> stop{false};
  std::atomic<int> good{0}, bad{0};
  std::thread asker([&] {
    while (!stop) {
      try {
        ++(Client(port).get("/").body == "web" ? good : bad);
      } catch (const std::runtime_error&) {
        ++bad;
      }
    }
  });
  for (int i = 0; i < 10; ++i) {
    const std::string extra = i % 2 == 0 ? "extra" : "another";
    CHECK(proxy.reload(listeners({{"web", "127.0.0.1:0"}, {extra, "127.0.0.1:0"}})).ok);
  }
  stop = true;
  asker.join();
  CHECK(proxy.port() == port);
  CHECK(good > 10);
  CHECK(bad == 0);
}

TEST_CASE("a WebSocket outlives twenty reloads, also of its own rules", "[reload]") {
  FakeUpstream up(tunnel_echo);
  Setup setup{.servers = {up.address()}};
  TestProxy proxy(setup);
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  client.read_until("\r\n\r\n");
  for (int i = 0; i < 20; ++i) {
    setup.listener = "rules: [{name: r" + std::to_string(i) +
                     ", priority: 1, conditions: [{path: /r}], actions: [{fixed_response: {}}]}]";
    REQUIRE(proxy.reload(setup).ok);
    const std::string text = "still here " + std::to_string(i);
    client.send(text);
    CHECK(client.read_exact(text.size()) == text);
  }
  CHECK(up.connections() == 1);
}

TEST_CASE("a server that a reload removes gets nothing new, and its idle connections are closed", "[reload]") {
  FakeUpstream a(FakeUpstream::say("a")), b(FakeUpstream::say("b"));
  TestProxy proxy(Setup{.servers = {a.address(), b.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 4; ++i) client.get("/");
  CHECK(a.requests() == 2);
  REQUIRE(proxy.reload(Setup{.servers = {b.address()}}).ok);
  CHECK(eventually([&] { return a.open() == 0; }));
  for (int i = 0; i < 6; ++i) CHECK(client.get("/").body == "b");
  CHECK(a.requests() == 2);
}

TEST_CASE("a certificate that a reload changes is presented to the next client", "[reload]") {
  const auto folder = std::make_shared<TempDir>();
  Authority().issue("first", "DNS:a").write(*folder, "a");
  const Setup setup{.listener = "certificates: [{cert: a.pem, key: a.key}]",
                    .actions = "- fixed_response: {body: here}",
                    .protocol = "https"};
  TestProxy proxy(setup.yaml(), {}, folder);
  SecureClient before(proxy.port());
  CHECK(before.tls().peer() == "first");
  CHECK(before.get("/").body == "here");
  Authority().issue("second", "DNS:a").write(*folder, "a");
  REQUIRE(proxy.reload(setup).ok);
  CHECK(eventually([&] { return SecureClient(proxy.port()).tls().peer() == "second"; }));
}

TEST_CASE("a listener that turns to TLS drains its plain clients", "[reload]") {
  const auto folder = std::make_shared<TempDir>();
  Authority().issue("a", "DNS:a").write(*folder, "a");
  Setup setup = saying("here");
  TestProxy proxy(setup.yaml(), {}, folder);
  Client plain(proxy.port());
  CHECK(plain.get("/").body == "here");
  setup.protocol = "https";
  setup.listener = "certificates: [{cert: a.pem, key: a.key}]";
  REQUIRE(proxy.reload(setup).ok);
  CHECK(plain.ends());
  CHECK(SecureClient(proxy.port()).get("/").body == "here");
}

TEST_CASE("reloads while requests run lose none", "[reload]") {
  FakeUpstream up(FakeUpstream::say("x"));
  Setup setup{.servers = {up.address()}, .workers = 2};
  TestProxy proxy(setup);
  std::atomic<bool> stop{false};
  std::atomic<int> good{0}, bad{0};
  std::vector<std::thread> askers;
  for (int t = 0; t < 3; ++t) {
    askers.emplace_back([&] {
      Client client(proxy.port());
      while (!stop) ++(client.get("/").status() == 200 ? good : bad);
    });
  }
  for (int i = 0; i < 20; ++i) {
    setup.group = "keep_alive: {idle: " + std::to_string(10 + i) + "s}";
    CHECK(proxy.reload(setup).ok);
  }
  stop = true;
  for (std::thread& t : askers) t.join();
  CHECK(good > 20);
  CHECK(bad == 0);
}
