// Servers by name: resolved, resolved again by TTL, and kept when the answers are no good.
#include "tests/support/client.h"
#include "tests/support/fake_names.h"
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

TEST_CASE("when the TTL is over the name is asked again, and traffic follows", "[dns]") {
  Twins up;
  FakeNames names;
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
  FakeNames names;
  names.set("app.test", {.addresses = {"127.0.0.2"}, .ttl = 600});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(ask(proxy) == "two");
  const int queries = names.queries();
  CHECK_FALSE(eventually([&] { return names.queries() > queries; }, Ms(1500)));
}

TEST_CASE("a name server that says nothing delays the start only a little", "[dns]") {
  FakeNames names;
  names.set("app.test", {.silent = true});
  FakeUpstream up(FakeUpstream::say("other"));
  const Stopwatch watch;
  TestProxy proxy(Setup{.servers = {"app.test:80", up.address()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(watch.seconds() < 6);
  for (int i = 0; i < 3; ++i) CHECK(ask(proxy) == "other");
}

TEST_CASE("a name that a reload brings is resolved", "[dns]") {
  Twins up;
  FakeNames names;
  names.set("app.test", {.addresses = {"127.0.0.3"}, .ttl = 300});
  TestProxy proxy(Setup{.servers = {up.two.address()}}, {.clock = nullptr, .name_servers = names.address()});
  CHECK(ask(proxy) == "two");
  REQUIRE(proxy.reload(Setup{.servers = {up.server()}}).ok);
  CHECK(eventually([&] { return ask(proxy) == "three"; }));
}

TEST_CASE("rules and listeners are left alone when addresses change", "[dns]") {
  Twins up;
  FakeNames names;
  names.set("app.test", {.addresses = {"127.0.0.2"}, .ttl = 1});
  TestProxy proxy(Setup{.servers = {up.server()}}, {.clock = nullptr, .name_servers = names.address()});
  Client kept(proxy.port());
  CHECK(kept.get("/").body == "two");
  names.set("app.test", {.addresses = {"127.0.0.3"}, .ttl = 1});
  CHECK(eventually([&] { return kept.get("/").body == "three"; }));
}
