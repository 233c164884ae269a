// Parts of a configuration are rebuilt alone: what did not change stays the same object, and its state with it.
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>
#include <stdexcept>

#include "tests/support/client.h"
#include "tests/support/deadline.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

namespace albatross::test {
namespace {

std::string listener(const std::string& name, int rules, const std::string& body) {
  std::string out = "  - name: " + name + "\n    bind: \"127.0.0.1:0\"\n    rules:\n";
  for (int i = 0; i < rules; ++i) {
    const std::string n = std::to_string(i);
    out += "      - {name: r" + n + ", priority: " + std::to_string(i + 1) + ", conditions: [{path: [\"~^/" + name + n +
           "/[a-z]+$\"]}], actions: [{fixed_response: {body: \"" + n + "\"}}]}\n";
  }
  return out + "    default_actions: [{fixed_response: {body: \"" + body + "\"}}]\n";
}

std::string two_listeners(const std::string& first, const std::string& second) {
  return "listeners:\n" + listener("many", 10000, first) + listener("few", 3, second) + "server_groups: []\n";
}

struct Parts {
  std::map<std::string, const RuleSet*> rules;
  std::map<std::string, const ListenerRuntime*> listeners;
  std::map<std::string, const GroupRuntime*> groups;
};
Parts parts_of(TestProxy& proxy) {
  return proxy.ask([](Process& p) {
    Parts parts;
    for (const auto& l : p.snapshot().listeners) {
      parts.rules[l->name] = l->rules.get();
      parts.listeners[l->name] = l.get();
    }
    for (const auto& g : p.snapshot().groups) parts.groups[g->name] = g.get();
    return parts;
  });
}

// One that the kernel gives, and that nobody has had since.
std::uint16_t free_port() {
  std::string error;
  std::vector<ListenSocket> socket = open_listeners(SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), 0), 1, error);
  if (socket.empty()) throw std::runtime_error(error);
  ::close(socket[0].fd);
  return socket[0].address.port();
}

config::Server server_at(const std::string& host, std::uint16_t port) {
  config::Server s;
  s.host = host;
  s.port = port;
  s.address = config::Value<std::string>(host + ":" + std::to_string(port));
  return s;
}

void change_servers(TestProxy& proxy, const std::string& group, std::vector<config::Server> servers) {
  proxy.ask([&](Process& p) {
    p.changes_of_config().servers_changed(group, std::move(servers));
    return 0;
  });
}

}  // namespace

TEST_CASE("a reload in which one listener's rules changed compiles only those", "[reload]") {
  TestProxy proxy(two_listeners("a", "b"));
  const Parts before = parts_of(proxy);
  REQUIRE(proxy.reload("# a line more, so that every place differs\n" + two_listeners("a", "c")).ok);
  const Parts after = parts_of(proxy);
  CHECK(after.rules.at("many") == before.rules.at("many"));
  CHECK(after.listeners.at("many") == before.listeners.at("many"));
  CHECK(after.rules.at("few") != before.rules.at("few"));
  CHECK(Client(proxy.port("few")).get("/").body == "c");
  CHECK(Client(proxy.port("many")).get("/many7/x").body == "7");
}

TEST_CASE("a group whose text is the same is kept over a reload, and counts go on", "[reload]") {
  FakeUpstream up(FakeUpstream::say("hello"));
  const std::string groups = "server_groups:\n  - {name: g, servers: [{address: \"" + up.address() + "\"}]}\n";
  auto yaml = [&](const std::string& extra) {
    return "listeners:\n  - name: web\n    bind: \"127.0.0.1:0\"\n" + extra + "    default_actions: [{forward: g}]\n" +
           groups;
  };
  TestProxy proxy(yaml(""));
  CHECK(Client(proxy.port()).get("/").body == "hello");
  const Parts before = parts_of(proxy);
  REQUIRE(proxy.reload(yaml("    timeouts: {idle: 20s}\n")).ok);
  const Parts after = parts_of(proxy);
  CHECK(after.groups.at("g") == before.groups.at("g"));
  CHECK(after.rules.at("web") != before.rules.at("web"));
  CHECK(Client(proxy.port()).get("/").body == "hello");
  const std::uint64_t started = proxy.ask([&](Process& p) {
    std::uint64_t n = 0;
    p.view().stats.visit([&](const auto&, const auto&, const auto& servers, const auto&) {
      n = servers.sum("g/" + up.address(), [](const ServerStats& s) { return s.started.get(); });
    });
    return n;
  });
  CHECK(started == 2);
}

TEST_CASE("a listener that is renamed keeps its socket, and two may swap their ports", "[reload]") {
  const std::uint16_t a = free_port(), b = free_port();
  auto yaml = [](const std::string& first, std::uint16_t p1, const std::string& second, std::uint16_t p2) {
    std::string out = "listeners:\n";
    for (auto [name, port] : {std::pair{first, p1}, std::pair{second, p2}}) {
      out += "  - name: " + name + "\n    bind: \"127.0.0.1:" + std::to_string(port) +
             "\"\n    default_actions: [{fixed_response: {body: " + name + "}}]\n";
    }
    return out + "server_groups: []\nshutdown: {drain: 1s}\n";
  };
  TestProxy proxy(yaml("one", a, "two", b));
  CHECK(Client(a).get("/").body == "one");
  const ReloadResult renamed = proxy.reload(yaml("uno", a, "two", b));
  INFO(renamed.message);
  REQUIRE(renamed.ok);
  CHECK(eventually([&] { return Client(a).get("/").body == "uno"; }));
  const ReloadResult swapped = proxy.reload(yaml("uno", b, "two", a));
  INFO(swapped.message);
  REQUIRE(swapped.ok);
  CHECK(eventually([&] { return Client(a).get("/").body == "two"; }));
  CHECK(eventually([&] { return Client(b).get("/").body == "uno"; }));
}

TEST_CASE("a group's servers change alone, and those that stay keep their connections", "[reload]") {
  FakeUpstream one(FakeUpstream::say("one")), two(FakeUpstream::say("two"));
  TestProxy proxy(Setup{.servers = {one.address()}});
  Client client(proxy.port());
  CHECK(client.get("/").body == "one");
  const Parts before = parts_of(proxy);
  const std::string group = before.groups.begin()->first;
  change_servers(proxy, group, {server_at("127.0.0.1", one.port()), server_at("127.0.0.1", two.port())});
  std::set<std::string> seen;
  CHECK(eventually([&] { return seen.insert(client.get("/").body), seen.size() == 2; }));
  CHECK(parts_of(proxy).listeners == before.listeners);
  CHECK(one.connections() == 1);
  change_servers(proxy, group, {server_at("127.0.0.1", two.port())});
  CHECK(eventually([&] { return one.open() == 0; }));
  for (int i = 0; i < 5; ++i) CHECK(client.get("/").body == "two");
}

TEST_CASE("what has left the configuration leaves the statistics", "[reload]") {
  FakeUpstream up(FakeUpstream::say("hello"));
  TestProxy proxy(Setup{.servers = {up.address()}});
  CHECK(Client(proxy.port()).get("/").body == "hello");
  const std::string group = parts_of(proxy).groups.begin()->first;
  auto servers = [&] {
    return proxy.ask([](Process& p) {
      std::size_t n = 0;
      p.view().stats.visit([&](const auto&, const auto&, const auto& s, const auto&) { n = s.names().size(); });
      return n;
    });
  };
  CHECK(servers() == 1);
  for (int i = 0; i < 20; ++i) {
    change_servers(proxy, group, {server_at("127.0.0." + std::to_string(2 + i), up.port())});
    const std::string name = group + "/127.0.0." + std::to_string(2 + i) + ":" + std::to_string(up.port());
    REQUIRE(eventually([&] {
      return proxy.ask([&](Process& p) {
        bool has = false;
        p.view().stats.visit([&](const auto&, const auto&, const auto& s, const auto&) { has = s.has(name); });
        return has;
      });
    }));
  }
  CHECK(eventually([&] { return servers() <= 2; }));
}

namespace {

// Listeners that each forward to a group of their own.
std::string forwarding(const std::vector<std::pair<std::string, std::string>>& to, const std::string& drain) {
  std::string listeners = "listeners:\n", groups = "server_groups:\n";
  for (const auto& [name, server] : to) {
    listeners += "  - {name: " + name + ", bind: \"127.0.0.1:0\", default_actions: [{forward: g-" + name + "}]}\n";
    groups += "  - {name: g-" + name + ", servers: [{address: \"" + server + "\"}]}\n";
  }
  return listeners + groups + "shutdown: {drain: " + drain + "}\n";
}

}  // namespace

TEST_CASE("a kept connection of a listener that has gone with its group is still answered", "[reload]") {
  FakeUpstream up(FakeUpstream::say("hello"));
  TestProxy proxy(forwarding({{"a", up.address()}, {"b", up.address()}}, "10s"));
  Client kept(proxy.port("a"));
  CHECK(kept.get("/").body == "hello");
  REQUIRE(proxy.reload(forwarding({{"b", up.address()}}, "10s")).ok);
  CHECK(eventually([&] { return Client(proxy.port("b")).get("/").body == "hello"; }));
  const Message last = kept.get("/");
  CHECK(last.status() == 200);
  CHECK(last.get("connection") == "close");
}

TEST_CASE("a group that comes back while something of it still runs goes on", "[reload]") {
  std::atomic<bool> finish{false};
  FakeUpstream up([&](FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      if (m.target() == "/slow") {
        c.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
        eventually([&] { return finish.load(); });
        c.write("b");
      } else {
        c.respond(200, "fast");
      }
    }
  });
  const std::string both = forwarding({{"a", up.address()}, {"b", up.address()}}, "20s");
  TestProxy proxy(both);
  Client slow(proxy.port("a"));
  slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  slow.read_until("\r\n\r\na");
  REQUIRE(proxy.reload(forwarding({{"b", up.address()}}, "20s")).ok);
  REQUIRE(proxy.reload(both).ok);
  CHECK(Client(proxy.port("a")).get("/").body == "fast");
  finish = true;
  CHECK(slow.read_exact(1) == "b");
  for (int i = 0; i < 10; ++i) CHECK(Client(proxy.port("a")).get("/").body == "fast");
}

TEST_CASE("a drained listener that gets another name or another address takes connections", "[reload]") {
  const std::uint16_t a = free_port(), b = free_port();
  auto yaml = [](const std::string& name, std::uint16_t port) {
    return "listeners:\n  - name: " + name + "\n    bind: \"127.0.0.1:" + std::to_string(port) +
           "\"\n    default_actions: [{fixed_response: {body: " + name +
           "}}]\nserver_groups: []\nshutdown: {drain: 1s}\n";
  };
  TestProxy proxy(yaml("web", a));
  auto drain = [&](const std::string& name) {
    return proxy.ask([&](Process& p) { return p.changes().drain_listener(name, std::nullopt, false, nullptr).ok(); });
  };
  auto drained = [&] { return proxy.ask([](Process& p) { return !p.view().overrides.drained_listeners.empty(); }); };
  auto serves = [&](std::uint16_t port, const std::string& body) {
    return eventually([&] {
      try {
        return Client(port).get("/").body == body;
      } catch (const std::exception&) {
        return false;  // refused for the moment
      }
    });
  };
  REQUIRE(drain("web"));
  REQUIRE(proxy.reload(yaml("web", a) + "# the same\n").ok);
  CHECK(drained());
  REQUIRE(proxy.reload(yaml("web2", a)).ok);
  CHECK(serves(a, "web2"));
  CHECK_FALSE(drained());
  REQUIRE(drain("web2"));
  REQUIRE(proxy.reload(yaml("web2", b)).ok);
  CHECK(serves(b, "web2"));
  CHECK_FALSE(drained());
}

}  // namespace albatross::test
