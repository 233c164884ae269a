#include "healthcheck/outlier.h"

#include <catch2/catch_test_macros.hpp>

namespace albatross::healthcheck_test {
namespace {

struct Group {
  OutlierGroup group;
  Nanos now = 1000 * kSecond;
  std::vector<std::string> said;

  Group(std::size_t n, PassiveCheck check) {
    group.check = check;
    for (std::size_t i = 0; i < n; ++i) {
      group.servers.push_back(std::make_shared<ServerSlot>());
      group.servers.back()->address = std::to_string(i);
    }
  }
  void had(std::size_t i, std::uint32_t requests, std::uint32_t failures, Nanos latency = kMilli) {
    ServerWindow& w = group.servers[i]->window;
    w.requests += requests;
    w.failures += failures;
    w.latency += (requests - failures) * (latency / kMicro);
  }
  void look() {
    judge(group, now, [this](const ServerSlot& s, const std::string& why) { said.push_back(s.address + ": " + why); });
  }
  bool out(std::size_t i) const { return !group.servers[i]->usable(now); }
};

PassiveCheck a_check() {
  PassiveCheck c;
  c.ejection = 30 * kSecond;
  c.max_ejected = 50;
  c.min_requests = 20;
  c.interval = 10 * kSecond;
  return c;
}

PassiveCheck by_failures() {
  PassiveCheck c = a_check();
  c.failure_percent = 40;
  return c;
}

PassiveCheck by_latency() {
  PassiveCheck c = a_check();
  c.latency_factor = 3;
  return c;
}

}  // namespace

TEST_CASE("a server that fails a large share is ejected, once it has had enough requests") {
  Group g(3, by_failures());
  g.had(0, 100, 39);
  g.had(1, 100, 40);
  g.had(2, 19, 19);
  g.look();
  CHECK_FALSE(g.out(0));
  CHECK(g.out(1));
  CHECK_FALSE(g.out(2));
  CHECK(g.said == std::vector<std::string>{"1: 40 % of 100 requests failed"});
  // Each look begins a new window.
  g.now += 60 * kSecond;
  g.look();
  CHECK_FALSE(g.out(1));
}

TEST_CASE("no more than the share that may be ejected is") {
  Group g(4, by_failures());
  for (std::size_t i = 0; i < 4; ++i) g.had(i, 100, 100);
  g.look();
  CHECK(g.said.size() == 2);
}

TEST_CASE("a server that is much slower than the median is ejected") {
  Group g(4, by_latency());
  for (std::size_t i = 0; i < 3; ++i) g.had(i, 100, 0, 10 * kMilli);
  g.had(3, 100, 0, 40 * kMilli);
  g.look();
  CHECK(g.said == std::vector<std::string>{"3: its answers took 0.04 s, the group's 0.01 s"});
}

TEST_CASE("two servers have no median, and failures have no latency") {
  Group two(2, by_latency());
  two.had(0, 100, 0, kMilli);
  two.had(1, 100, 0, kSecond);
  two.look();
  CHECK(two.said.empty());
  Group g(3, by_latency());
  g.had(0, 100, 100);
  g.had(1, 100, 0, kMilli);
  g.had(2, 100, 0, kSecond);
  g.look();
  CHECK(g.said.empty());
}

}  // namespace albatross::healthcheck_test
