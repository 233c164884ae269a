// Servers by name: resolved at the start, again by TTL, and the last good answer outlives a bad one.
#include "tests/support/client.h"
#include "tests/support/fake_names.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

// Two servers on one port of two loopback addresses.
struct Pair {
  FakeUpstream one{FakeUpstream::say("one"), "127.0.0.1:0"};
  FakeUpstream two{FakeUpstream::say("two"), "127.0.0.2:" + std::to_string(one.port())};
  FakeNames names;
  Setup setup() const { return Setup{.servers = {"app.test:" + std::to_string(one.port())}, .log = false}; }
  ProxyOptions options() const { return {nullptr, names.address()}; }
};

std::string body(TestProxy& proxy) {
  const Message m = Client(proxy.port()).get("/");
  return m.status() == 200 ? m.body : std::to_string(m.status());
}

}  // namespace

TEST_CASE("a name is resolved before the first request", "[names]") {
  Pair pair;
  pair.names.set("app.test", {.addresses = {"127.0.0.1"}, .ttl = 300});
  TestProxy proxy(pair.setup(), pair.options());
  for (int i = 0; i < 5; ++i) CHECK(body(proxy) == "one");
}

TEST_CASE("each address of a name is a server", "[names]") {
  Pair pair;
  pair.names.set("app.test", {.addresses = {"127.0.0.1", "127.0.0.2"}, .ttl = 300});
  TestProxy proxy(pair.setup(), pair.options());
  for (int i = 0; i < 10; ++i) body(proxy);
  CHECK(pair.one.requests() == 5);
  CHECK(pair.two.requests() == 5);
}

TEST_CASE("a name is asked for again when its TTL is over", "[names]") {
  Pair pair;
  pair.names.set("app.test", {.addresses = {"127.0.0.1"}});
  TestProxy proxy(pair.setup(), pair.options());
  CHECK(body(proxy) == "one");
  pair.names.set("app.test", {.addresses = {"127.0.0.2"}});
  CHECK(eventually([&] { return body(proxy) == "two"; }));
  for (int i = 0; i < 5; ++i) CHECK(body(proxy) == "two");
}

TEST_CASE("an empty or failed answer keeps the last good one", "[names]") {
  Pair pair;
  pair.names.set("app.test", {.addresses = {"127.0.0.1"}});
  TestProxy proxy(pair.setup(), pair.options());
  CHECK(body(proxy) == "one");
  pair.names.set("app.test", GENERATE(FakeNames::Answer{.addresses = {}}, FakeNames::Answer{.addresses = {}, .code = 3},
                                      FakeNames::Answer{.addresses = {}, .code = 2},
                                      FakeNames::Answer{.addresses = {}, .silent = true}));
  const int before = pair.names.queries();
  REQUIRE(eventually([&] { return pair.names.queries() >= before + 4; }, Ms(20'000)));
  for (int i = 0; i < 5; ++i) CHECK(body(proxy) == "one");
  pair.names.set("app.test", {.addresses = {"127.0.0.2"}});
  CHECK(eventually([&] { return body(proxy) == "two"; }, Ms(20'000)));
}

TEST_CASE("a name that is not known at the start is served when it is", "[names]") {
  Pair pair;
  TestProxy proxy(pair.setup(), pair.options());
  CHECK(body(proxy) == "503");
  CHECK(proxy.said("no address yet"));
  pair.names.set("app.test", {.addresses = {"127.0.0.1"}});
  CHECK(eventually([&] { return body(proxy) == "one"; }));
}

TEST_CASE("a TTL of zero is no storm", "[names]") {
  Pair pair;
  pair.names.set("app.test", {.addresses = {"127.0.0.1"}, .ttl = 0});
  TestProxy proxy(pair.setup(), pair.options());
  CHECK(body(proxy) == "one");
  const int before = pair.names.queries();
  const Stopwatch watch;
  REQUIRE(eventually([&] { return watch.seconds() > 2.2; }));
  CHECK(pair.names.queries() - before <= 8);  // two families, once a second
}

TEST_CASE("localhost tries both families", "[names]") {
  const bool six = GENERATE(false, true);
  FakeUpstream up(FakeUpstream::say("local"), six ? "[::1]:0" : "127.0.0.1:0");
  TestProxy proxy(
      Setup{.servers = {"localhost:" + std::to_string(up.port())}, .group = "retries: false", .log = false});
  for (int i = 0; i < 5; ++i) CHECK(body(proxy) == "local");
}
