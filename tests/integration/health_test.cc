// Active probes: who is taken out, who comes back, and what happens when nobody is left.
#include <unistd.h>

#include <mutex>

#include "tests/integration/secure.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross;
using namespace albatross::test;

namespace {

const std::string kFast =
    "health_check: {path: /healthz, interval: 100ms, timeout: 400ms, healthy_threshold: 2, unhealthy_threshold: 3}";

// A server whose probes are answered by what the test says, and that counts its traffic apart from them.
class Patient {
 public:
  explicit Patient(int answer = 200) : status(answer), up_([this](FakeConnection& c) { serve(c); }) {}
  const std::string& address() const { return up_.address(); }
  FakeUpstream& upstream() { return up_; }
  std::vector<double> probe_times() const {
    std::lock_guard lock(lock_);
    return times_;
  }

  std::atomic<int> status;  // 0: the probe is left without an answer, -1: the connection is closed
  std::atomic<int> probes{0}, traffic{0}, at_once{0}, most_at_once{0};

 private:
  void serve(FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      if (m.target() != "/healthz") {
        ++traffic;
        c.respond(200, "served");
        continue;
      }
      const int now = ++at_once;
      if (now > most_at_once) most_at_once = now;
      {
        std::lock_guard lock(lock_);
        times_.push_back(watch_.seconds());
      }
      ++probes;
      const int answer = status;
      if (answer == 0) c.wait_for_close();
      --at_once;
      if (answer <= 0) return;
      c.write("HTTP/1.1 " + std::to_string(answer) + " X\r\nContent-Length: 0\r\n\r\n");
    }
  }
  Stopwatch watch_;
  mutable std::mutex lock_;
  std::vector<double> times_;
  FakeUpstream up_;
};

// What the server of that address is thought of.
Health health_of(TestProxy& proxy, const std::string& address) {
  return proxy.ask([&](Process& s) {
    for (const auto& g : s.snapshot().groups) {
      for (const auto& e : g->servers) {
        if (e.slot->address == address) return e.slot->health.load();
      }
    }
    return Health::kUnknown;
  });
}

bool becomes(TestProxy& proxy, const std::string& address, Health health) {
  return eventually([&] { return health_of(proxy, address) == health; });
}

int served(Client& client, int requests) {
  int good = 0;
  for (int i = 0; i < requests; ++i) good += client.get("/").status() == 200 ? 1 : 0;
  return good;
}

}  // namespace

TEST_CASE("a server that fails its probes gets no traffic, and gets it again when it recovers", "[health]") {
  Patient a, b;
  TestProxy proxy(Setup{.servers = {a.address(), b.address()}, .group = kFast});
  Client client(proxy.port());
  REQUIRE(becomes(proxy, a.address(), Health::kHealthy));
  REQUIRE(becomes(proxy, b.address(), Health::kHealthy));
  CHECK(served(client, 10) == 10);
  CHECK(a.traffic == 5);
  const int probes = a.probes;
  a.status = 500;
  REQUIRE(becomes(proxy, a.address(), Health::kUnhealthy));
  CHECK(a.probes - probes >= 3);
  CHECK(proxy.said("is unhealthy: status 500"));
  const int before = a.traffic;
  CHECK(served(client, 10) == 10);
  CHECK(a.traffic == before);
  a.status = 204;
  REQUIRE(becomes(proxy, a.address(), Health::kHealthy));
  CHECK(served(client, 10) == 10);
  CHECK(a.traffic == before + 5);
}

TEST_CASE("a probe names the server that it asks, not the last one of its group", "[health]") {
  auto remember = [](std::string& into, std::mutex& lock) {
    return [&](FakeConnection& c) {
      for (;;) {
        const Message m = c.read_request();
        std::lock_guard hold(lock);
        into = m.get("host");
        c.respond(200);
      }
    };
  };
  std::mutex lock;
  std::string first, second, third;
  FakeUpstream a(remember(first, lock)), b(remember(second, lock));
  const TempDir folder;
  FakeUpstream c(remember(third, lock), "unix:" + folder.file("app.sock"));
  const std::string by_name = "localhost:" + std::to_string(b.port());
  TestProxy proxy(Setup{.servers = {a.address(), by_name, "unix:" + folder.file("app.sock")}, .group = kFast});
  CHECK(eventually([&] {
    std::lock_guard hold(lock);
    return first == a.address() && second == by_name && third == "localhost";
  }));
}

TEST_CASE("two failures in a row are no three", "[health]") {
  Patient a, b;
  TestProxy proxy(Setup{.servers = {a.address(), b.address()}, .group = kFast});
  REQUIRE(becomes(proxy, a.address(), Health::kHealthy));
  for (int round = 0; round < 3; ++round) {
    const int probes = a.probes;
    a.status = 500;
    REQUIRE(eventually([&] { return a.probes >= probes + 1; }));
    a.status = 200;
    REQUIRE(eventually([&] { return a.probes >= probes + 3; }));
    CHECK(health_of(proxy, a.address()) == Health::kHealthy);
  }
}

TEST_CASE("what counts as a failed probe", "[health]") {
  Patient bad, good;
  std::string says;
  SECTION("no answer in time") { bad.status = 0, says = "timeout after 400 ms"; }
  SECTION("a closed connection") { bad.status = -1, says = "is unhealthy"; }
  SECTION("a redirect") { bad.status = 302, says = "status 302"; }
  SECTION("an error") { bad.status = 503, says = "status 503"; }
  TestProxy proxy(Setup{.servers = {bad.address(), good.address()}, .group = kFast});
  REQUIRE(becomes(proxy, bad.address(), Health::kUnhealthy));
  CHECK(becomes(proxy, good.address(), Health::kHealthy));
  CHECK(eventually([&] { return proxy.said(says); }));
  Client client(proxy.port());
  CHECK(served(client, 6) == 6);
  CHECK(bad.traffic == 0);
}

TEST_CASE("a server that refuses connections is unhealthy", "[health]") {
  std::uint16_t dead = 0;
  const Fd holder = refusing_port(dead);
  Patient good;
  TestProxy proxy(Setup{.servers = {loopback(dead), good.address()}, .group = kFast});
  CHECK(becomes(proxy, loopback(dead), Health::kUnhealthy));
  Client client(proxy.port());
  CHECK(served(client, 6) == 6);
  for (const auto& line : proxy.log(6)) CHECK(line["attempts"] == 1);
}

TEST_CASE("the first probe alone decides the first state", "[health]") {
  Patient good, bad(500);
  TestProxy proxy(
      Setup{.servers = {good.address(), bad.address()},
            .group = "health_check: {path: /healthz, interval: 60s, healthy_threshold: 5, unhealthy_threshold: 5}"});
  CHECK(becomes(proxy, good.address(), Health::kHealthy));
  CHECK(becomes(proxy, bad.address(), Health::kUnhealthy));
  CHECK(good.probes == 1);
  CHECK(bad.probes == 1);
}

TEST_CASE("the codes that count are those of the file", "[health]") {
  Patient redirects(302), fine(200), teapot(418);
  TestProxy proxy(Setup{.servers = {redirects.address(), fine.address(), teapot.address()},
                        .group = "health_check: {path: /healthz, interval: 100ms, codes: [300-399, 418]}"});
  CHECK(becomes(proxy, redirects.address(), Health::kHealthy));
  CHECK(becomes(proxy, teapot.address(), Health::kHealthy));
  CHECK(becomes(proxy, fine.address(), Health::kUnhealthy));
}

TEST_CASE("a probe asks what the file says", "[health]") {
  Patient a;
  TestProxy proxy(
      Setup{.servers = {a.address()},
            .group = "health_check: {path: \"/healthz\", method: GET, host: probe.example, interval: 100ms}"});
  REQUIRE(becomes(proxy, a.address(), Health::kHealthy));
  const std::string asked = lower_case(a.upstream().received(0));
  CHECK(asked.starts_with("get /healthz http/1.1\r\n"));
  CHECK(asked.find("host: probe.example\r\n") != std::string::npos);
}

TEST_CASE("when all are unhealthy all are used, unless fail_open says no", "[health]") {
  Patient a(500), b(500);
  const bool open = GENERATE(true, false);
  TestProxy proxy(Setup{.servers = {a.address(), b.address()}, .group = kFast + (open ? "" : "\nfail_open: false")});
  REQUIRE(becomes(proxy, a.address(), Health::kUnhealthy));
  REQUIRE(becomes(proxy, b.address(), Health::kUnhealthy));
  Client client(proxy.port());
  if (open) {
    CHECK(served(client, 10) == 10);
    CHECK(a.traffic == 5);
    CHECK(b.traffic == 5);
    return;
  }
  const Message answer = client.get("/");
  CHECK(answer.status() == 503);
  CHECK_FALSE(answer.get("retry-after").empty());
  CHECK(proxy.log(1)[0]["termination"] == "no_server");
  CHECK(a.traffic + b.traffic == 0);
  a.status = 200;
  REQUIRE(becomes(proxy, a.address(), Health::kHealthy));
  CHECK(client.get("/").status() == 200);
}

TEST_CASE("two probes are never under way at once, and they keep their interval but for a jitter", "[health]") {
  Patient a;
  TestProxy proxy(
      Setup{.servers = {a.address()}, .group = "health_check: {path: /healthz, interval: 200ms, timeout: 400ms}"});
  SECTION("answered") {
    REQUIRE(eventually([&] { return a.probes >= 8; }));
    const std::vector<double> at = a.probe_times();
    CHECK(at[1] - at[0] < 0.4);  // anywhere in the interval: servers that are new together part here
    for (std::size_t i = 2; i < 8; ++i) {
      CHECK(at[i] - at[i - 1] > 0.15);
      CHECK(at[i] - at[i - 1] < 0.4);
    }
  }
  SECTION("hanging longer than the interval") {
    a.status = 0;
    REQUIRE(eventually([&] { return a.probes >= 5; }));
    const std::vector<double> at = a.probe_times();
    for (std::size_t i = 2; i < 5; ++i) CHECK(at[i] - at[i - 1] > 0.35);
  }
  CHECK(a.most_at_once == 1);
}

TEST_CASE("several workers do not probe more than one", "[health]") {
  Patient a;
  TestProxy proxy(
      Setup{.servers = {a.address()}, .group = "health_check: {path: /healthz, interval: 200ms}", .workers = 4});
  const Stopwatch watch;
  REQUIRE(eventually([&] { return a.probes >= 6; }));
  CHECK(watch.seconds() > 0.8);
  CHECK(a.most_at_once == 1);
}

TEST_CASE("a TCP check needs a listener and no more", "[health]") {
  FakeUpstream silent([](FakeConnection& c) { c.wait_for_close(); });
  std::uint16_t dead = 0;
  const Fd holder = refusing_port(dead);
  TestProxy proxy(
      Setup{.servers = {silent.address(), loopback(dead)}, .group = "health_check: {protocol: tcp, interval: 100ms}"});
  CHECK(becomes(proxy, silent.address(), Health::kHealthy));
  CHECK(becomes(proxy, loopback(dead), Health::kUnhealthy));
  CHECK(eventually([&] { return silent.connections() >= 3; }));
  CHECK(silent.bytes() == 0);
}

TEST_CASE("an HTTPS check speaks TLS, and believes whom the group believes", "[health]") {
  const Authority authority, stranger("stranger");
  const auto folder = std::make_shared<TempDir>();
  folder->write("ca.pem", authority.certificate());
  const auto serve = [](const Identity& identity) -> FakeUpstream::Handler {
    return [identity](FakeConnection& c) {
      SecureChannel tls(Fd(::dup(c.descriptor())), identity);
      std::string request;
      tls.receive(request, Deadline());
      tls.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", Deadline());
    };
  };
  FakeUpstream good(serve(authority.issue("app", "DNS:app.internal")));
  FakeUpstream bad(serve(stranger.issue("app", "DNS:app.internal")));
  FakeUpstream plain;
  TestProxy proxy(Setup{.servers = {good.address(), bad.address(), plain.address()},
                        .group = "protocol: https\ntls: {ca: ca.pem, server_name: app.internal}\n"
                                 "health_check: {interval: 100ms, timeout: 500ms}"}
                      .yaml(),
                  {}, folder);
  CHECK(becomes(proxy, good.address(), Health::kHealthy));
  CHECK(becomes(proxy, bad.address(), Health::kUnhealthy));
  CHECK(becomes(proxy, plain.address(), Health::kUnhealthy));
}

TEST_CASE("a check on a port of its own", "[health]") {
  Patient checks, app;
  const std::string port = checks.address().substr(checks.address().rfind(':') + 1);
  TestProxy proxy(Setup{.servers = {app.address()},
                        .group = "health_check: {path: /healthz, interval: 100ms, port: " + port + "}"});
  REQUIRE(becomes(proxy, app.address(), Health::kHealthy));
  CHECK(app.probes == 0);
  checks.status = 500;
  CHECK(becomes(proxy, app.address(), Health::kUnhealthy));
}

TEST_CASE("what is known of a server's health outlives a reload", "[health]") {
  Patient a(500), b;
  Setup setup{.servers = {a.address(), b.address()}, .group = kFast};
  TestProxy proxy(setup);
  REQUIRE(becomes(proxy, a.address(), Health::kUnhealthy));
  setup.group += "\nconnection_drain: 10s";
  REQUIRE(proxy.reload(setup).ok);
  CHECK(health_of(proxy, a.address()) == Health::kUnhealthy);
  Client client(proxy.port());
  CHECK(served(client, 10) == 10);
  CHECK(a.traffic == 0);
}
