// Parts of a configuration are rebuilt alone: what did not change stays the same object, and its state with it.
#include <unistd.h>

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
  return "listeners:\n" + listener("many", 1000, first) + listener("few", 3, second) + "server_groups: []\n";
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

}  // namespace albatross::test
