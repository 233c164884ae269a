// What several threads do to one proxy at once: requests, reloads, names, stops. For ThreadSanitizer.
#include <thread>

#include "tests/support/client.h"
#include "tests/support/failure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

// Clients that ask until they are told to end; each failure is kept.
class Load {
 public:
  Load(std::uint16_t port, int clients, bool fresh) {
    for (int i = 0; i < clients; ++i) threads_.emplace_back([=, this] { run(port, i, fresh); });
  }
  ~Load() { end(); }
  std::vector<std::string> end() {
    done_ = true;
    for (std::thread& t : threads_) t.join();
    threads_.clear();
    return failures_;
  }
  int answered() const { return answered_.load(); }

 private:
  void run(std::uint16_t port, int id, bool fresh) {
    try {
      Client client(port);
      for (int i = 0; !done_; ++i) {
        const std::string path = "/" + std::to_string(id) + "/" + std::to_string(i);
        const Message m = client.get(path);
        if (m.status() != 200 || m.body != path) fail(m.raw);
        ++answered_;
        if (fresh || lower_case(m.get("connection")) == "close") client = Client(port);
      }
    } catch (const std::exception& e) {
      fail(e.what());
    }
  }
  void fail(const std::string& what) {
    std::lock_guard lock(lock_);
    if (failures_.size() < 10) failures_.push_back(what);
  }
  std::atomic<bool> done_{false};
  std::atomic<int> answered_{0};
  std::mutex lock_;
  std::vector<std::string> failures_;
  std::vector<std::thread> threads_;
};

void paths(FakeConnection& c) {
  for (;;) c.respond(200, c.read_request().target());
}

}  // namespace

TEST_CASE("twenty reloads under load fail no request", "[threads]") {
  const bool fresh = GENERATE(false, true);
  FakeUpstream one(paths), two(paths);
  const Setup first{.servers = {one.address()}, .workers = 2};
  const Setup second{.servers = {one.address(), two.address()},
                     .listener =
                         "rules:\n  - {name: r, priority: 1, conditions: [{path: [\"~[05]$\"]}], actions: "
                         "[{insert_header: {name: x, value: y}}, {forward: app}]}",
                     .workers = 2};
  const Setup third{.servers = {two.address()}, .workers = 2};
  TestProxy proxy(first);
  Load load(proxy.port(), 4, fresh);
  for (int i = 0; i < 20; ++i) {
    const int before = load.answered();
    const auto result = proxy.reload(i % 3 == 0 ? second : i % 3 == 1 ? third : first);
    CHECK(result.ok);
    CHECK(eventually([&] { return load.answered() > before + 20; }));
  }
  CHECK(load.end() == std::vector<std::string>{});
}

TEST_CASE("listeners come and go under load", "[threads]") {
  FakeUpstream up(paths);
  Setup setup{.servers = {up.address()}, .workers = 2};
  TestProxy proxy(setup);
  Load load(proxy.port(), 3, false);
  const std::string more =
      "  - {name: more, bind: \"127.0.0.1:0\", default_actions: [{fixed_response: {body: more}}]}\n";
  for (int i = 0; i < 8; ++i) {
    std::string yaml = setup.yaml();
    if (i % 2 == 0) yaml.insert(yaml.find("server_groups:"), more);
    CHECK(proxy.reload(yaml).ok);
    if (i % 2 == 0) CHECK(Client(proxy.port("more")).get("/").body == "more");
  }
  CHECK(load.end() == std::vector<std::string>{});
}

TEST_CASE("limits, their queue and overrides hold between workers", "[threads]") {
  std::atomic<int> now{0}, most{0};
  FakeUpstream up([&](FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      int n = ++now;
      for (int seen = most; n > seen && !most.compare_exchange_weak(seen, n);) {
      }
      --now;
      c.respond(200, m.target());
    }
  });
  FakeUpstream other(paths);
  TestProxy proxy(Setup{.servers = {up.address(), other.address()},
                        .group = "max_requests: 3\nqueue: {size: 1000, timeout: 20s}\nscheduler: p2c\n"
                                 "passive_check: {failure_percent: 50, latency_factor: 5}\ncircuit_breaker: {}\n"
                                 "retries: {tries: 3, codes: [503]}",
                        .workers = 2});
  Load load(proxy.port(), 8, false);
  for (std::uint32_t i = 0; i < 10; ++i) {
    const int before = load.answered();
    auto result = proxy.ask([&](albatross::Process& s) {
      return s.changes().set_server_weight("app", up.address(), i % 2 == 0 ? 1 : 100, false);
    });
    CHECK(result.ok());
    CHECK(
        proxy
            .reload(Setup{.servers = {up.address(), other.address()},
                          .group = "max_requests: " + std::to_string(2 + i % 3) + "\nqueue: {size: 1000, timeout: 20s}",
                          .workers = 2})
            .ok);
    CHECK(eventually([&] { return load.answered() > before + 50; }));
  }
  CHECK(load.end() == std::vector<std::string>{});
  CHECK(most <= 4);
}

TEST_CASE("probes change the health under load", "[threads]") {
  std::atomic<bool> sick{false};
  FakeUpstream well(paths), moody([&](FakeConnection&c) {
    for (;;) {
      const Message m = c.read_request();
      c.respond(m.target() == "/healthz" && sick ? 500 : 200, m.target());
    }
  });
  TestProxy proxy(Setup{
      .servers = {well.address(), moody.address()},
      .group =
          "health_check: {path: /healthz, method: GET, interval: 100ms, unhealthy_threshold: 1, healthy_threshold: 1}",
      .workers = 2});
  Load load(proxy.port(), 3, false);
  for (int i = 0; i < 4; ++i) {
    sick = i % 2 == 0;
    const int before = load.answered();
    CHECK(eventually([&] { return load.answered() > before + 100; }));
    CHECK(eventually([&] { return proxy.said(sick ? "is unhealthy" : "is healthy"); }));
  }
  CHECK(load.end() == std::vector<std::string>{});
}

TEST_CASE("a stop under load answers what was begun", "[threads]") {
  FakeUpstream up(paths);
  TestProxy proxy(Setup{.servers = {up.address()}, .top = "shutdown: {drain: 3s}", .workers = 2});
  const std::string address = loopback(proxy.port());
  std::atomic<int> answered{0}, cut{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      try {
        Client client(address);
        for (;;) {
          // An end instead of an answer is fair only for a connection that had been told.
          const Message m = client.get("/x");
          if (m.status() != 200) ++cut;
          ++answered;
          if (lower_case(m.get("connection")) == "close") return;
        }
      } catch (const std::exception&) {
        ++cut;
      }
    });
  }
  CHECK(eventually([&] { return answered > 100; }));
  proxy.stop();
  for (std::thread& t : threads) t.join();
  CHECK(proxy.wait_until_stopped());
  CHECK(cut == 0);
}

TEST_CASE("clients that vanish under load hurt nobody else", "[threads]") {
  FakeUpstream up(paths);
  TestProxy proxy(Setup{.servers = {up.address()}, .workers = 2});
  Load load(proxy.port(), 2, false);
  for (int i = 0; i < 300; ++i) {
    Client client(proxy.port());
    client.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
    if (i % 3 == 0) client.reset();
    if (i % 3 == 1) client.close();
  }
  const int before = load.answered();
  CHECK(eventually([&] { return load.answered() > before + 50; }));
  CHECK(load.end() == std::vector<std::string>{});
}
