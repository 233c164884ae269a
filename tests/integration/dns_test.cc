// Servers by name: resolved, resolved again by TTL, and kept when the answers are no good.
#include "tests/integration/name_server.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross;
using namespace albatross::test;

namespace {

// A port that is free on 127.0.0.2 and 127.0.0.3: two servers of one name.
struct Twins {
  FakeUpstream two{FakeUpstream::say("two"), "127.0.0.2:0"};
  FakeUpstream three{FakeUpstream::say("three"), "127.0.0.3:" + std::to_string(two.port())};
  std::string server() const { return "app.test:" + std::to_string(two.port()); }
};

std::string ask(TestProxy& proxy) {
  Client client(proxy.port());
  const Message m = client.get("/");
  return m.status() == 200 ? m.body : std::to_string(m.status());
}

}  // namespace

TEST_CASE("a name is resolved at the start, and each of its addresses is a server", "[dns]") {
  Twins up;
  NameServer names;
  names.set("app.test", {.addresses = {"127.0.0.2", "127.0.0.3"}, .ttl = 300});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  std::map<std::string, int> seen;
  for (int i = 0; i < 10; ++i) ++seen[ask(proxy)];
  CHECK(seen["two"] == 5);
  CHECK(seen["three"] == 5);
}

TEST_CASE("when the TTL is over the name is asked again, and traffic follows", "[dns]") {
  Twins up;
  NameServer names;
  names.set("app.test", {.addresses = {"127.0.0.2"}, .ttl = 1});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(ask(proxy) == "two");
  names.set("app.test", {.addresses = {"127.0.0.3"}, .ttl = 1});
  const Stopwatch watch;
  CHECK(eventually([&] { return ask(proxy) == "three"; }));
  CHECK(watch.seconds() < 4);
  for (int i = 0; i < 5; ++i) CHECK(ask(proxy) == "three");
  CHECK(eventually([&] { return up.two.open() == 0; }));
}

TEST_CASE("a long TTL is believed", "[dns]") {
  Twins up;
  NameServer names;
  names.set("app.test", {.addresses = {"127.0.0.2"}, .ttl = 600});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(ask(proxy) == "two");
  const int questions = names.questions();
  CHECK_FALSE(eventually([&] { return names.questions() > questions; }, Ms(1500)));
}

TEST_CASE("a TTL of zero is one second and no storm", "[dns]") {
  Twins up;
  NameServer names;
  names.set("app.test", {.addresses = {"127.0.0.2"}, .ttl = 0});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  const int before = names.questions();
  const Stopwatch watch;
  REQUIRE(eventually([&] { return names.questions() >= before + 4; }));
  CHECK(watch.seconds() > 0.9);
}

TEST_CASE("an answer that is no good keeps the last good one", "[dns]") {
  Twins up;
  NameServer names;
  names.set("app.test", {.addresses = {"127.0.0.2"}, .ttl = 1});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(ask(proxy) == "two");
  NameAnswer bad;
  SECTION("empty") {}
  SECTION("SERVFAIL") { bad.code = 2; }
  SECTION("NXDOMAIN") { bad.code = 3; }
  names.set("app.test", bad);
  const int before = names.questions();
  REQUIRE(eventually([&] { return names.questions() >= before + 4; }));
  for (int i = 0; i < 5; ++i) CHECK(ask(proxy) == "two");
  names.set("app.test", {.addresses = {"127.0.0.3"}, .ttl = 1});
  CHECK(eventually([&] { return ask(proxy) == "three"; }));
}

TEST_CASE("a name that cannot be resolved at the start is said, is a 503, and heals", "[dns]") {
  Twins up;
  NameServer names;
  names.set("app.test", {.code = 3});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(proxy.said("app.test"));
  CHECK(ask(proxy) == "503");
  names.set("app.test", {.addresses = {"127.0.0.2"}, .ttl = 300});
  CHECK(eventually([&] { return ask(proxy) == "two"; }));
}

TEST_CASE("a name server that says nothing delays the start only a little", "[dns]") {
  NameServer names;
  names.set("app.test", {.silent = true});
  FakeUpstream up(FakeUpstream::say("other"));
  const Stopwatch watch;
  TestProxy proxy(Setup{.servers = {"app.test:80", up.address()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(watch.seconds() < 6);
  for (int i = 0; i < 3; ++i) CHECK(ask(proxy) == "other");
}

TEST_CASE("a name that a reload brings is resolved", "[dns]") {
  Twins up;
  NameServer names;
  names.set("app.test", {.addresses = {"127.0.0.3"}, .ttl = 300});
  TestProxy proxy(Setup{.servers = {up.two.address()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(ask(proxy) == "two");
  REQUIRE(proxy.reload(Setup{.servers = {up.server()}}).ok);
  CHECK(eventually([&] { return ask(proxy) == "three"; }));
}

TEST_CASE("rules and listeners are left alone when addresses change", "[dns]") {
  Twins up;
  NameServer names;
  names.set("app.test", {.addresses = {"127.0.0.2"}, .ttl = 1});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  Client kept(proxy.port());
  CHECK(kept.get("/").body == "two");
  names.set("app.test", {.addresses = {"127.0.0.3"}, .ttl = 1});
  CHECK(eventually([&] { return kept.get("/").body == "three"; }));
}

TEST_CASE("localhost tries both families", "[dns]") {
  std::unique_ptr<FakeUpstream> up;
  const std::string host = GENERATE(std::string("127.0.0.1"), std::string("[::1]"));
  try {
    up = std::make_unique<FakeUpstream>(FakeUpstream::say("local"), host + ":0");
  } catch (const std::runtime_error&) {
    SKIP("no IPv6 here");
  }
  TestProxy proxy(Setup{.servers = {"localhost:" + std::to_string(up->port())}});
  for (int i = 0; i < 3; ++i) CHECK(ask(proxy) == "local");
  CHECK(proxy.log(3)[0]["attempts"] == 1);
}
