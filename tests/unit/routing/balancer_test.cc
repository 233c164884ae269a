#include "routing/balancing/balancer.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <deque>
#include <map>
#include <string>

namespace albatross::routing_test {
namespace {

struct Group {
  BalancerSettings settings;
  GroupSlot group;
  std::deque<ServerSlot> slots;
  std::vector<Candidate> candidates;
  Random random{7};
  Balancer balancer;
  std::map<int, Counted> counted;  // as the last one there was
  Nanos now = 1000 * kSecond;

  explicit Group(Scheduler s, const std::vector<std::uint32_t>& weights) {
    settings.scheduler = s;
    for (std::uint32_t w : weights) {
      ServerSlot& slot = slots.emplace_back();
      slot.address = "10.0.0." + std::to_string(slots.size()) + ":80";
      slot.weight = w;
      candidates.push_back({&slot});
    }
  }
  std::shared_ptr<const HashTable> table(HashTable::Kind kind = HashTable::Kind::kMaglev) {
    std::vector<HashTable::Server> servers;
    for (const ServerSlot& s : slots) servers.push_back({s.address, s.weight});
    return HashTable::build(kind, servers);
  }
  void start() {
    balancer.update(settings, group, candidates, settings.scheduler == Scheduler::kHash ? table() : nullptr, random);
  }
  int pick(std::uint64_t key = 0, std::vector<int> tried = {}, bool fail_open = false) {
    std::vector<const ServerSlot*> those;
    for (int i : tried) those.push_back(&slots[static_cast<std::size_t>(i)]);
    return balancer.pick({key, now, those, fail_open});
  }
  int take(int wanted = Balancer::kNone, std::uint64_t key = 0) {
    Counted in;
    int i = balancer.take({key, now, {}, false}, in, wanted);
    if (i >= 0) counted[i] = in;
    return i;
  }
  // A request on that server has ended; `latency` 0: it gave no answer.
  void ended(int i, Nanos latency = 0) {
    Balancer::give_back(slots[static_cast<std::size_t>(i)], group, counted[i]);
    balancer.answered(i, latency, now);
  }
  void load(int i) { ++slots[static_cast<std::size_t>(i)].load; }
  // The part of 100 000 requests that each got; `at_once` of them are always in flight, each as long as the others.
  std::vector<double> shares(std::size_t at_once = 0) {
    std::vector<double> got(slots.size());
    std::deque<int> flying;
    for (int n = 0; n < 100'000; ++n) {
      int i = take(Balancer::kNone, next_key(static_cast<std::uint64_t>(n)));
      if (i < 0) FAIL("no server");
      got[static_cast<std::size_t>(i)] += 1e-5;
      flying.push_back(i);
      if (flying.size() <= at_once) continue;
      ended(flying.front(), kMilli);
      flying.pop_front();
    }
    for (int i : flying) ended(i);
    return got;
  }
};

constexpr Scheduler kAll[] = {Scheduler::kRoundRobin, Scheduler::kLeastOutstanding, Scheduler::kTwoChoices,
                              Scheduler::kHash};

}  // namespace

TEST_CASE("every scheduler keeps to the weights within one percent") {
  for (Scheduler s : kAll) {
    for (const std::vector<std::uint32_t>& weights :
         {std::vector<std::uint32_t>{100, 100, 100}, {1, 2, 3, 0, 4}, std::vector<std::uint32_t>(20, 50)}) {
      for (std::size_t at_once : {0, 64}) {
        Group g(s, weights);
        g.start();
        double total = 0;
        for (std::uint32_t w : weights) total += w;
        auto shares = g.shares(at_once);
        for (std::size_t i = 0; i < weights.size(); ++i) {
          INFO("scheduler " << static_cast<int>(s) << ", " << at_once << " at once, server " << i << " of "
                            << weights.size());
          CHECK(std::abs(shares[i] - weights[i] / total) < 0.01);
        }
      }
    }
  }
}

TEST_CASE("unhealthy and draining servers get nothing, whatever the scheduler") {
  for (Scheduler s : kAll) {
    INFO("scheduler " << static_cast<int>(s));
    Group g(s, {100, 100, 100, 100});
    g.start();
    g.slots[0].health = Health::kUnhealthy;
    g.slots[1].draining = true;
    auto shares = g.shares();
    CHECK(shares[0] == 0);
    CHECK(shares[1] == 0);
    CHECK(std::abs(shares[2] - 0.5) < 0.02);
    // One that was tried is taken again only when it is the last.
    CHECK(g.pick(1, {2}) == 3);
    CHECK(g.pick(1, {2, 3}) >= 2);
    // Nothing healthy: none, or all that do not drain.
    g.slots[2].health = g.slots[3].health = Health::kUnhealthy;
    CHECK(g.pick() == -1);
    int open = g.pick(0, {}, true);
    CHECK((open == 0 || open == 2 || open == 3));
  }
}

TEST_CASE("backups wait until no other server is usable") {
  for (Scheduler s : kAll) {
    INFO("scheduler " << static_cast<int>(s));
    Group g(s, {100, 100, 100});
    g.candidates[2].backup = true;
    // A backup owns no key.
    if (s == Scheduler::kHash) {
      g.balancer.update(g.settings, g.group, g.candidates,
                        HashTable::build(HashTable::Kind::kMaglev, {{"a", 1}, {"b", 1}, {"c", 0}}), g.random);
    } else {
      g.start();
    }
    CHECK(g.shares()[2] == 0);
    g.slots[0].health = g.slots[1].health = Health::kUnhealthy;
    CHECK(std::abs(g.shares()[2] - 1) < 1e-9);
  }
}

TEST_CASE("in slow start the share grows with the curve, whatever the scheduler") {
  for (Scheduler s : kAll) {
    for (SlowStart::Curve curve : {SlowStart::Curve::kLinear, SlowStart::Curve::kSquare, SlowStart::Curve::kRoot}) {
      INFO("scheduler " << static_cast<int>(s) << ", curve " << static_cast<int>(curve));
      Group g(s, {100, 100});
      g.settings.slow_start = {40 * kSecond, curve};
      g.start();
      g.slots[1].slow_since = g.now;
      CHECK(g.shares()[1] < 0.02);
      g.now += 10 * kSecond;
      double part = curve == SlowStart::Curve::kLinear ? 0.25 : curve == SlowStart::Curve::kSquare ? 0.0625 : 0.5;
      double quarter = g.shares()[1];
      CHECK(quarter > 0.5 * part - 0.01);  // hashing passes keys on, the others weigh
      CHECK(quarter < part / (1 + part) + 0.01);
      g.now += 30 * kSecond;
      CHECK(std::abs(g.shares()[1] - 0.5) < 0.01);
    }
  }
}

TEST_CASE("the local zone comes first and spills as it falls sick") {
  for (Scheduler s : kAll) {
    INFO("scheduler " << static_cast<int>(s));
    Group g(s, {100, 100, 100, 100, 100, 100});
    g.settings.local_first = true;
    for (std::size_t i = 0; i < 4; ++i) g.candidates[i].local = true;
    g.start();
    auto shares = g.shares();
    CHECK(shares[4] + shares[5] == 0);
    g.slots[0].health = Health::kUnhealthy;  // three of four carry the zone
    shares = g.shares();
    CHECK(shares[4] + shares[5] == 0);
    g.slots[1].health = g.slots[2].health = Health::kUnhealthy;  // one of four does not: 35 % stay
    shares = g.shares();
    CHECK(shares[4] + shares[5] > 0.35);
    CHECK(shares[4] + shares[5] < 0.75);
    g.slots[3].health = Health::kUnhealthy;
    shares = g.shares();
    CHECK(std::abs(shares[4] + shares[5] - 1) < 1e-6);
  }
}

TEST_CASE("least outstanding leaves out a server that hangs") {
  for (std::size_t n : {3, 40}) {
    Group g(Scheduler::kLeastOutstanding, std::vector<std::uint32_t>(n, 100));
    g.start();
    for (int i = 0; i < 50; ++i) g.load(0);
    CHECK(g.shares()[0] < (n == 3 ? 1e-9 : 0.002));
  }
}

TEST_CASE("two choices prefer the faster server") {
  Group g(Scheduler::kTwoChoices, {100, 100, 100});
  g.start();
  for (int i = 0; i < 3; ++i) {
    g.balancer.answered(i, i == 0 ? 50 * kMilli : kMilli, g.now);
  }
  int slow = 0;
  for (int n = 0; n < 10'000; ++n) slow += g.pick() == 0;
  CHECK(slow < 1500);  // one in nine: when both choices fall on it
}

TEST_CASE("a key stays where it is while its server lives") {
  for (HashTable::Kind kind : {HashTable::Kind::kMaglev, HashTable::Kind::kKetama}) {
    for (std::size_t n : {3, 10, 50}) {
      INFO("table " << static_cast<int>(kind) << ", " << n << " servers");
      Group g(Scheduler::kHash, std::vector<std::uint32_t>(n, 100));
      g.balancer.update(g.settings, g.group, g.candidates, g.table(kind), g.random);
      std::vector<int> before;
      for (std::uint64_t k = 0; k < 20'000; ++k) before.push_back(g.pick(next_key(k)));
      // Down, it loses its own keys and no other moves.
      g.slots[1].health = Health::kUnhealthy;
      int moved = 0, strayed = 0;
      for (std::uint64_t k = 0; k < 20'000; ++k) {
        int now = g.pick(next_key(k));
        moved += now != before[k];
        strayed += now != before[k] && before[k] != 1;
      }
      CHECK(strayed == 0);
      CHECK(moved < 20'000 / static_cast<double>(n) * 1.5);
      // Gone for good, hardly any other.
      g.slots[1].health = Health::kHealthy;
      g.slots[1].weight = 0;
      g.balancer.refresh(g.table(kind));
      moved = 0;
      for (std::uint64_t k = 0; k < 20'000; ++k) moved += g.pick(next_key(k)) != before[k];
      CHECK(moved / 20'000.0 < 1.0 / static_cast<double>(n) + 0.02);
    }
  }
}

TEST_CASE("ketama keeps to the weights within one percent") {
  for (const std::vector<std::uint32_t>& weights :
       {std::vector<std::uint32_t>{100, 100, 100}, {1, 2, 3, 0, 4}, std::vector<std::uint32_t>(20, 50)}) {
    Group g(Scheduler::kHash, weights);
    g.balancer.update(g.settings, g.group, g.candidates, g.table(HashTable::Kind::kKetama), g.random);
    double total = 0;
    for (std::uint32_t w : weights) total += w;
    auto shares = g.shares();
    for (std::size_t i = 0; i < weights.size(); ++i) CHECK(std::abs(shares[i] - weights[i] / total) < 0.01);
  }
}

TEST_CASE("one hot key does not take more than its server's bounded load") {
  Group g(Scheduler::kHash, {100, 100, 100, 100});
  g.settings.max_load = 125;
  g.start();
  std::map<int, int> got;
  for (int n = 0; n < 100; ++n) {
    int i = g.pick(42);
    g.load(i);
    ++got[i];
  }
  CHECK(got.size() == 4);
  for (auto [i, n] : got) CHECK(n <= 32);  // 125 % of a quarter, and one
}

namespace {
struct Connections final : Room {
  bool room = true;
  bool has_room() const override { return room; }
};
}  // namespace

TEST_CASE("a server that has its most requests gets no other, whatever the scheduler") {
  for (Scheduler s : kAll) {
    INFO("scheduler " << static_cast<int>(s));
    Group g(s, {100, 100, 100});
    g.settings.limits = true;
    for (Candidate& c : g.candidates) c.max_requests = 2;
    g.start();
    for (int n = 0; n < 6; ++n) CHECK(g.take() >= 0);
    for (const ServerSlot& slot : g.slots) CHECK(slot.load == 2);
    CHECK(g.take() == Balancer::kFull);
    CHECK(g.take(1) == Balancer::kFull);
    g.ended(1);
    CHECK(g.take() == 1);
    g.slots[0].health = g.slots[1].health = g.slots[2].health = Health::kUnhealthy;
    CHECK(g.take() == Balancer::kNone);
  }
}

TEST_CASE("a full group takes nothing, and backups do not stand in for full servers") {
  Group g(Scheduler::kRoundRobin, {100, 100});
  g.settings.limits = true;
  g.candidates[0].max_requests = 1;
  g.candidates[1].backup = true;
  g.start();
  CHECK(g.take() == 0);
  CHECK(g.take() == Balancer::kFull);
  g.slots[0].health = Health::kUnhealthy;
  CHECK(g.take() == 1);

  Group h(Scheduler::kRoundRobin, {100, 100});
  h.settings.max_requests = 3;
  h.start();
  for (int n = 0; n < 3; ++n) CHECK(h.take() >= 0);
  CHECK(h.take() == Balancer::kFull);
  CHECK(h.group.load == 3);
  h.ended(0);
  CHECK(h.take() >= 0);
}

TEST_CASE("a server without room for a connection is passed over") {
  Group g(Scheduler::kRoundRobin, {100, 100});
  Connections full;
  full.room = false;
  g.candidates[0].room = &full;
  g.start();
  for (int n = 0; n < 10; ++n) CHECK(g.take() == 1);
  full.room = true;
  int got = 0;
  for (int n = 0; n < 10; ++n) got += g.take() == 0;
  CHECK(got == 5);
}

TEST_CASE("servers that stay keep their turn and their latency when others come and go") {
  Group g(Scheduler::kTwoChoices, {100, 100, 100, 100});
  const std::vector<Candidate> all = g.candidates;
  g.candidates = {all[0], all[1], all[2]};
  g.start();
  for (int i = 0; i < 3; ++i) g.balancer.answered(i, i == 0 ? 50 * kMilli : kMilli, g.now);
  g.candidates = {all[3], all[0], all[2]};  // one has gone, one is new, and the order is another
  g.start();
  g.balancer.answered(0, kMilli, g.now);
  int slow = 0;
  for (int n = 0; n < 10'000; ++n) slow += g.pick() == 1;
  CHECK(slow < 1500);  // it is still known to be slow
}

TEST_CASE("a change of endpoints in between leaves round robin fair") {
  Group g(Scheduler::kRoundRobin, {100, 100, 100, 100});
  const std::vector<Candidate> all = g.candidates;
  std::map<const ServerSlot*, int> got;
  for (int n = 0; n < 12'000; ++n) {
    if (n % 10 == 0) {
      g.candidates = {all[0], all[1], all[2 + static_cast<std::size_t>(n / 10 % 2)]};
      g.start();
    }
    ++got[g.balancer.candidates()[static_cast<std::size_t>(g.pick())].slot];
  }
  CHECK(std::abs(got[all[0].slot] - 4000) < 200);
  CHECK(std::abs(got[all[1].slot] - 4000) < 200);
}

TEST_CASE("a preview tells the parts and the next pick, and changes nothing") {
  for (Scheduler scheduler :
       {Scheduler::kRoundRobin, Scheduler::kLeastOutstanding, Scheduler::kTwoChoices, Scheduler::kHash}) {
    Group g(scheduler, {100, 300, 100});
    g.candidates[2].backup = true;
    g.start();
    const auto preview = [&g](bool fail_open = true) {
      return g.balancer.preview({.key = 7, .now = g.now, .tried = {}, .fail_open = fail_open});
    };
    const Balancer::Preview first = preview();
    CHECK(first.parts == std::vector<double>{0.25, 0.75, 0});
    CHECK(preview().next == first.next);  // it was not taken
    if (scheduler == Scheduler::kRoundRobin) CHECK(g.pick() == first.next);
    g.slots[1].draining = true;
    CHECK(preview().parts == std::vector<double>{1, 0, 0});
    g.slots[0].health = Health::kUnhealthy;
    CHECK(preview().parts == std::vector<double>{0, 0, 1});
    CHECK(preview().next == 2);
    g.slots[2].health = Health::kUnhealthy;
    CHECK(preview().parts == std::vector<double>{0.5, 0, 0.5});  // fail open: all that do not drain
    CHECK(preview(false).next == Balancer::kNone);
  }
}

}  // namespace albatross::routing_test
