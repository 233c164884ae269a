// Probes: who gets traffic, when that changes, and what happens when nobody is well (PRODUCT §2).
#include <set>

#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

// A server whose health a test decides; counts its probes and what else it was asked.
struct Patient {
  std::atomic<int> status{200};
  std::atomic<int> probes{0};
  std::atomic<int> asked{0};
  std::string name;
  FakeUpstream up{[this](FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      if (m.target() == "/healthz") {
        ++probes;
        if (status == 0) return;
        if (m.method() == "HEAD") {
          c.write("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 3\r\n\r\n");
        } else {
          c.respond(status, "abc");
        }
      } else {
        ++asked;
        c.respond(200, name);
      }
    }
  }};
  explicit Patient(std::string n) : name(std::move(n)) {}
};

const std::string kCheck = "health_check: {path: /healthz, interval: 100ms, timeout: 300ms, healthy_threshold: 2, unhealthy_threshold: 2}\n";

std::set<std::string> answers(TestProxy& proxy, int n = 20) {
  std::set<std::string> out;
  Client client(proxy.port());
  for (int i = 0; i < n; ++i) {
    const Message m = client.get("/");
    out.insert(m.status() == 200 ? m.body : std::to_string(m.status()));
  }
  return out;
}

using Names = std::set<std::string>;

}  // namespace

TEST_CASE("a server that turns sick gets no traffic until it is well again", "[health]") {
  Patient a("a"), b("b");
  const int sick = GENERATE(500, 302, 0);
  TestProxy proxy(Setup{.servers = {a.up.address(), b.up.address()}, .group = kCheck});
  REQUIRE(eventually([&] { return a.probes > 1 && b.probes > 1; }));
  CHECK(eventually([&] { return answers(proxy) == Names{"a", "b"}; }));
  b.status = sick;
  CHECK(eventually([&] { return answers(proxy) == Names{"a"}; }));
  CHECK(proxy.said("is unhealthy"));
  b.status = 200;
  CHECK(eventually([&] { return answers(proxy) == Names{"a", "b"}; }));
}

TEST_CASE("one failed probe is not enough", "[health]") {
  Patient a("a"), b("b");
  TestProxy proxy(Setup{.servers = {a.up.address(), b.up.address()},
                        .group = "health_check: {path: /healthz, interval: 100ms, unhealthy_threshold: 10}"});
  REQUIRE(eventually([&] { return a.probes > 0 && b.probes > 0; }));
  b.status = 500;
  const int before = b.probes;
  REQUIRE(eventually([&] { return b.probes >= before + 3; }));
  CHECK(answers(proxy) == Names{"a", "b"});
}

TEST_CASE("the first probe alone decides the first state", "[health]") {
  Patient a("a"), b("b");
  b.status = 503;
  TestProxy proxy(Setup{.servers = {a.up.address(), b.up.address()},
                        .group = "health_check: {path: /healthz, interval: 10s, unhealthy_threshold: 10}"});
  CHECK(eventually([&] { return proxy.said("is unhealthy"); }));
  CHECK(eventually([&] { return answers(proxy) == Names{"a"}; }));
  CHECK(b.probes == 1);
}

TEST_CASE("when all are sick all are used, unless the group says otherwise", "[health]") {
  Patient a("a"), b("b");
  a.status = b.status = 500;
  const bool open = GENERATE(true, false);
  TestProxy proxy(Setup{.servers = {a.up.address(), b.up.address()}, .group = kCheck + (open ? "" : "fail_open: false\n")});
  REQUIRE(eventually([&] { return a.probes > 2 && b.probes > 2; }));
  const Names expected = open ? Names{"a", "b"} : Names{"503"};
  CHECK(eventually([&] { return answers(proxy) == expected; }));
  if (open) return;
  a.status = 200;
  CHECK(eventually([&] { return answers(proxy) == Names{"a"}; }));
}

TEST_CASE("a probe that is not answered has failed", "[health]") {
  Patient a("a");
  FakeUpstream hung([](FakeConnection& c) { c.wait_for_close(); });
  TestProxy proxy(Setup{.servers = {a.up.address(), hung.address()}, .group = kCheck});
  CHECK(eventually([&] { return proxy.said("timeout"); }));
  CHECK(eventually([&] { return answers(proxy) == Names{"a"}; }));
  CHECK(hung.open() <= 1);  // never two at once
}

TEST_CASE("a probe is a request of its own", "[health]") {
  Patient a("a");
  TestProxy proxy(Setup{.servers = {a.up.address()},
                        .group = "health_check: {path: /healthz, method: GET, host: check.example, interval: 100ms, codes: [\"200-204\", 418]}"});
  a.status = 418;
  REQUIRE(eventually([&] { return a.probes > 2; }));
  const std::string raw = a.up.received(0);
  CHECK(raw.starts_with("GET /healthz HTTP/1.1\r\nHost: check.example\r\n"));
  CHECK_FALSE(proxy.said("is unhealthy"));
  CHECK(answers(proxy) == Names{"a"});
}

TEST_CASE("a TCP check asks for a connection only", "[health]") {
  FakeUpstream up(FakeUpstream::say("tcp"));
  std::uint16_t dead = 0;
  const Fd placeholder = refusing_port(dead);
  TestProxy proxy(Setup{.servers = {up.address(), loopback(dead)},
                        .group = "health_check: {protocol: tcp, interval: 100ms, unhealthy_threshold: 1}\nretries: false"});
  CHECK(eventually([&] { return proxy.said("is unhealthy"); }));
  CHECK(eventually([&] { return answers(proxy) == Names{"tcp"}; }));
  REQUIRE(eventually([&] { return up.connections() > 3; }));
  CHECK(up.received(0).empty());
}

TEST_CASE("without a check nobody is probed", "[health]") {
  Patient a("a");
  TestProxy proxy(Setup{.servers = {a.up.address()}});
  CHECK(answers(proxy) == Names{"a"});
  CHECK(a.probes == 0);
}

TEST_CASE("health outlives a reload, and a check may be taken away", "[health]") {
  Patient a("a"), b("b");
  b.status = 500;
  const Setup with{.servers = {a.up.address(), b.up.address()}, .group = kCheck};
  TestProxy proxy(with);
  CHECK(eventually([&] { return answers(proxy) == Names{"a"}; }));
  Setup slower = with;
  slower.group = "health_check: {path: /healthz, interval: 100s}";
  CHECK(proxy.reload(slower).ok);
  CHECK(answers(proxy) == Names{"a"});
  Setup without = with;
  without.group = "";
  CHECK(proxy.reload(without).ok);
  CHECK(eventually([&] { return answers(proxy) == Names{"a", "b"}; }));
}
