// The tests by which a rollout judges: how often they are wrong about equal groups, and how soon they see a fault.
#include "process/rollout/evidence.h"

#include <algorithm>
#include <random>

#include "process/rollout/judge.h"
#include "tests/support/catch.h"

using namespace albatross;

namespace {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}
  bool of(double p) { return std::uniform_real_distribution<double>(0, 1)(engine_) < p; }
  double normal() { return std::normal_distribution<double>()(engine_); }

 private:
  std::mt19937_64 engine_;
};

// Two arms and the test that compares them.
struct Arms {
  RatioTest test{2, 0.004};
  ArmCount olds, news;

  // One more request, which is the new arm's with that chance, and fails with those of its arm.
  void request(Chance& chance, double share, double old_rate, double new_rate) {
    const bool is_new = chance.of(share);
    ArmCount& arm = is_new ? news : olds;
    ++arm.requests;
    if (!chance.of(is_new ? new_rate : old_rate)) return;
    ++arm.events;
    test.see(olds, news);
  }
  void next_step() {
    olds = news = {};
    test.next_step();
  }
};

// Requests of the new arm until the test is certain, at a share of 5 %. The first `good` of them are as those of the
// old arm. 0: it was certain while nothing was wrong, or not within two million requests.
std::uint64_t requests_until_certain(Chance& chance, double olds, double news, std::uint64_t good) {
  Arms arms;
  for (int i = 0; i < 2'000'000; ++i) {
    arms.request(chance, 0.05, olds, arms.news.requests < good ? olds : news);
    if (arms.test.is_certain()) return arms.news.requests > good ? arms.news.requests - good : 0;
  }
  return 0;
}

std::uint64_t median_until_certain(double olds, double news, std::uint64_t good = 0) {
  constexpr std::size_t kTimes = 101;
  Chance chance(20'261'127);
  std::vector<std::uint64_t> all;
  for (std::size_t i = 0; i < kTimes; ++i) all.push_back(requests_until_certain(chance, olds, news, good));
  std::sort(all.begin(), all.end());
  REQUIRE(all[1] > 0);  // it is seen, but for one false alarm
  return all[kTimes / 2];
}

}  // namespace

TEST_CASE("a rollout without a fault is hardly ever ended") {
  // A thousand rollouts in steps of 5, 25 and 50 %, looked at after each failure; the worst rates for it.
  constexpr int kRollouts = 1000;
  for (const double rate : {0.002, 0.01, 0.2}) {
    Chance chance(1);
    int wrong = 0;
    for (int i = 0; i < kRollouts; ++i) {
      Arms arms;
      for (const double share : {0.05, 0.25, 0.5}) {
        for (int n = 0; n < 4000 && !arms.test.is_certain(); ++n) arms.request(chance, share, rate, rate);
        if (arms.test.is_certain()) break;
        arms.next_step();
      }
      wrong += arms.test.is_certain() ? 1 : 0;
    }
    INFO("failures " << rate);
    CHECK(wrong < kRollouts / 100);
  }
}

TEST_CASE("a fault of the new version is seen soon") {
  CHECK(median_until_certain(0.10, 0.20) <= 200);
  CHECK(median_until_certain(0.01, 0.02) <= 2000);
  CHECK(median_until_certain(0.01, 0.20) <= 50);
}

TEST_CASE("a fault that comes late is not hidden by what was good before") {
  CHECK(median_until_certain(0.01, 1, 10'000) <= 25);
  CHECK(median_until_certain(0.01, 0.20, 10'000) <= 120);
  CHECK(median_until_certain(0.10, 0.20, 10'000) <= 700);
  SlowTest slow(0.003);
  ArmCount arm;
  for (int i = 0; i < 20'000; ++i) {
    ++arm.requests;
    arm.events += i % 150 == 0 ? 1 : 0;  // fewer than allowed
    if (slow.see(arm)) arm = {};
    REQUIRE_FALSE(slow.is_certain());
  }
  CHECK(slow.beginnings() > 10);
  int needed = 0;
  for (; needed < 100 && !slow.is_certain(); ++needed) {
    ++arm.requests;
    ++arm.events;
    if (slow.see(arm)) arm = {};
  }
  CHECK(needed < 30);
}

TEST_CASE("a version that is a little worse than allowed to be is left alone") {
  Chance chance(9);
  Arms arms;
  for (int i = 0; i < 1'000'000; ++i) {
    arms.request(chance, 0.25, 0.01, 0.0125);
    REQUIRE_FALSE(arms.test.is_certain());
  }
}

TEST_CASE("without requests of both arms nothing is certain") {
  RatioTest test(2, 0.004);
  test.see({0, 0}, {1000, 1000});
  CHECK_FALSE(test.is_certain());
  test.see({1000, 0}, {0, 0});
  CHECK_FALSE(test.is_certain());
  test.see({1000, 0}, {1000, 100});
  CHECK(test.is_certain());
  // What was seen in one step counts in the next.
  RatioTest steps(2, 0.004);
  for (int step = 0; step < 3; ++step) {
    CHECK_FALSE(steps.is_certain());
    steps.next_step();
    steps.see({950, 3}, {50, 2});
  }
  CHECK(steps.is_certain());
}

TEST_CASE("slow answers are told apart by how many there are") {
  Chance chance(3);
  int wrong = 0;
  for (int i = 0; i < 1000; ++i) {
    SlowTest test(0.003);
    ArmCount arm;
    for (int n = 0; n < 5000 && !test.is_certain(); ++n) {
      ++arm.requests;
      arm.events += chance.of(0.01) ? 1 : 0;
      if (test.see(arm)) arm = {};
    }
    wrong += test.is_certain() ? 1 : 0;
  }
  CHECK(wrong < 5);
  SlowTest all_slow(0.003);
  all_slow.see({8, 8});
  CHECK(all_slow.is_certain());
}

TEST_CASE("times fall into buckets that an eighth of a doubling tells apart") {
  for (std::size_t i = 1; i < ArmStats::kBuckets - 1; ++i) {
    const Nanos least = ArmStats::least_of(i);
    CHECK(ArmStats::bucket_of(least) == i);
    CHECK(ArmStats::bucket_of(least - kMicro) == i - 1);
  }
  CHECK(ArmStats::bucket_of(0) == 0);
  CHECK(ArmStats::bucket_of(3600 * kSecond) == ArmStats::kBuckets - 1);
}

TEST_CASE("a p99 and a bound that it certainly keeps") {
  Chance chance(5);
  int above = 0;
  for (int i = 0; i < 200; ++i) {
    Judge::Arm arm;
    for (int n = 0; n < 2000; ++n) {
      const double milliseconds = 10 * std::exp(chance.normal());
      ++arm.head_times[ArmStats::bucket_of(static_cast<Nanos>(milliseconds * 1e6))];
    }
    const double real = 10 * std::exp(2.3263) * 1e6;
    const auto bound = bound_of_p99(arm);
    REQUIRE(bound);
    above += static_cast<double>(*bound) >= real ? 1 : 0;
    CHECK(static_cast<double>(arm.p99()) > real * 0.7);
    CHECK(static_cast<double>(arm.p99()) < real * 1.6);
  }
  CHECK(above >= 195);
  Judge::Arm few;
  few.head_times[10] = 300;
  CHECK_FALSE(bound_of_p99(few));
}
