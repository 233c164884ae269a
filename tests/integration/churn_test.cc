// A group of a thousand servers whose endpoints change all the time: its traffic does not feel it, and memory stays
// flat. The hidden case does as many changes as a year of deployments; .ci/long runs it.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "tests/support/client.h"
#include "tests/support/deadline.h"
#include "tests/support/memory.h"
#include "tests/support/test_proxy.h"

namespace albatross::test {
namespace {

constexpr std::size_t kServers = 1000;
constexpr std::size_t kChanged = 2;  // of them, each time

// A proxy in front of kServers addresses of 127/8, behind which one server listens on all of them.
class Churn {
 public:
  Churn()
      : backend_(
            "listeners: [{name: web, bind: \"0.0.0.0:0\", default_actions: [{fixed_response: {body: ok}}]}]\n"
            "server_groups: []\nworkers: 1\naccess_log: off\n"),
        proxy_(Setup{.servers = {address(0)}, .log = false}) {
    change();
    wait_for(kServers);
  }

  // The window of servers moves on: some leave, as many come.
  void change() {
    std::vector<config::Server> servers;
    for (std::size_t i = 0; i < kServers; ++i) {
      config::Server s;
      s.host = host(first_ + i);
      s.port = backend_port_;
      s.address = config::Value<std::string>(s.host + ":" + std::to_string(s.port));
      servers.push_back(std::move(s));
    }
    first_ += kChanged;
    last_ = servers.back().address;
    proxy_.ask([&](Process& p) {
      p.changes_of_config().servers_changed("app", std::move(servers));
      return 0;
    });
  }
  // Until the last change is in force.
  void settle() {
    REQUIRE(eventually([&] {
      return proxy_.ask([&](Process& p) { return p.snapshot().groups[0]->servers.back().slot->address == last_; });
    }));
  }
  std::uint16_t port() { return proxy_.port(); }
  std::size_t statistics() {
    return proxy_.ask([](Process& p) {
      std::size_t n = 0;
      p.view().stats.visit([&n](const auto&, const auto&, const auto& s, const auto&) { n = s.names().size(); });
      return n;
    });
  }

 private:
  static std::string host(std::size_t i) {
    const std::size_t n = i % 60'000 + 1;
    return "127.1." + std::to_string(n / 250) + "." + std::to_string(n % 250 + 1);
  }
  std::string address(std::size_t i) { return host(i) + ":" + std::to_string(backend_port_); }
  void wait_for(std::size_t servers) {
    REQUIRE(eventually(
        [&] { return proxy_.ask([&](Process& p) { return p.snapshot().groups[0]->servers.size() == servers; }); }));
  }

  TestProxy backend_;
  const std::uint16_t backend_port_ = backend_.port();
  TestProxy proxy_;
  std::size_t first_ = 0;
  std::string last_;
};

using Clock = std::chrono::steady_clock;

// The 99th percentile of one client's requests, one after another, in microseconds.
double p99(Client& client, std::size_t requests) {
  std::vector<double> took;
  for (std::size_t i = 0; i < requests; ++i) {
    const auto begin = Clock::now();
    if (client.get("/").status() != 200) FAIL("not answered");
    took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  std::nth_element(took.begin(), took.begin() + static_cast<std::ptrdiff_t>(requests * 99 / 100), took.end());
  return took[requests * 99 / 100];
}

// Median of `rounds` pairs of p99: with a change every 100 ms to still.
double stall(Churn& churn, int rounds, std::size_t requests) {
  Client client(churn.port());
  p99(client, 3 * kServers);  // every server has its connection
  std::vector<double> ratios;
  for (int i = 0; i < rounds; ++i) {
    const double still = p99(client, requests);
    std::atomic<bool> stop{false};
    std::thread changes([&] {
      while (!stop.load()) {
        churn.change();
        std::this_thread::sleep_for(Ms(100));  // the pace of the load
      }
    });
    const double moving = p99(client, requests);
    stop = true;
    changes.join();
    ratios.push_back(moving / still);
    std::printf("p99 still %.0f us, with changes %.0f us, ratio %.2f\n", still, moving, moving / still);
  }
  std::nth_element(ratios.begin(), ratios.begin() + rounds / 2, ratios.end());
  return ratios[static_cast<std::size_t>(rounds / 2)];
}

// Bytes by which this process grows over so many changes.
std::ptrdiff_t growth(Churn& churn, int changes) {
  Client client(churn.port());
  auto run = [&](int n) {
    for (int i = 0; i < n; ++i) {
      churn.change();
      churn.settle();
      if (i % 10 == 0 && client.get("/").status() != 200) FAIL("not answered");
    }
  };
  run(200);
  const auto before = static_cast<std::ptrdiff_t>(resident_bytes());
  run(changes);
  return static_cast<std::ptrdiff_t>(resident_bytes()) - before;
}

}  // namespace

TEST_CASE("a thousand servers of which some change again and again leave memory flat", "[churn]") {
  Churn churn;
  const std::ptrdiff_t grown = growth(churn, kSanitized ? 50 : 300);
  CHECK(churn.statistics() < kServers + 3 * kChanged + 2);
  if (!kSanitized) CHECK(grown < 8 << 20);
}

TEST_CASE("endpoints that change every 100 ms are not felt, and 10,000 changes leave memory flat", "[.long]") {
  Churn churn;
  CHECK(stall(churn, 15, 10'000) < 1.3);
  const std::ptrdiff_t grown = growth(churn, 10'000);
  std::printf("grown by %.1f MiB over 10,000 changes\n", static_cast<double>(grown) / (1 << 20));
  CHECK(grown < 8 << 20);
}

}  // namespace albatross::test
