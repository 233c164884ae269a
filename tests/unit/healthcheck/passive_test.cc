#include "healthcheck/passive.h"

#include <catch2/catch_test_macros.hpp>
#include <deque>

namespace albatross::healthcheck_test {
namespace {

struct Servers {
  std::deque<ServerSlot> slots;
  std::vector<Candidate> candidates;
  PassiveCheck check{3, 10 * kSecond, 50};
  Nanos now = 1000 * kSecond;

  explicit Servers(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) candidates.push_back({&slots.emplace_back()});
  }
  bool fail(std::size_t i) { return observe(check, candidates, i, true, now); }
  void succeed(std::size_t i) { CHECK_FALSE(observe(check, candidates, i, false, now)); }
};

}  // namespace

TEST_CASE("failures in a row eject, a success between them does not let them") {
  Servers s(2);
  CHECK_FALSE(s.fail(0));
  CHECK_FALSE(s.fail(0));
  s.succeed(0);
  CHECK_FALSE(s.fail(0));
  CHECK_FALSE(s.fail(0));
  CHECK(s.slots[0].usable(s.now));
  CHECK(s.fail(0));
  CHECK_FALSE(s.slots[0].usable(s.now));
  CHECK(s.slots[0].usable(s.now + 10 * kSecond));
  CHECK(s.slots[0].slow_since == s.now + 10 * kSecond);
}

TEST_CASE("each ejection is longer than the last, until it has been well for a while") {
  Servers s(2);
  for (std::uint32_t n = 1; n <= 12; ++n) {
    s.fail(0);
    s.fail(0);
    REQUIRE(s.fail(0));
    Nanos length = s.slots[0].ejected_until - s.now;
    CHECK(length == std::min(n, 10u) * 10 * kSecond);
    s.now += length;
  }
  s.now += 101 * kSecond;
  s.fail(0);
  s.fail(0);
  CHECK(s.fail(0));
  CHECK(s.slots[0].ejected_until == s.now + 10 * kSecond);
}

TEST_CASE("no more than the cap is ejected, one of two always may be, the only one never") {
  for (auto [servers, most] : {std::pair{1, 0}, {2, 1}, {3, 1}, {4, 2}, {10, 5}}) {
    Servers s(static_cast<std::size_t>(servers));
    int ejected = 0;
    for (std::size_t i = 0; i < s.slots.size(); ++i) {
      for (int k = 0; k < 5; ++k) ejected += s.fail(i);
    }
    INFO(servers);
    CHECK(ejected == most);
  }
}

}  // namespace albatross::healthcheck_test
