#include "base/stats.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>

namespace albatross::base_test {

TEST_CASE("a duration counts in the first bucket that holds it") {
  for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    CAPTURE(i);
    Nanos bound = static_cast<Nanos>(Histogram::kBounds[i] * 1e9 + 0.5);
    Histogram h;
    h.record(bound);  // a bound belongs to its bucket
    h.record(bound + 1);
    CHECK(h.bucket(i) == 1);
    CHECK(h.bucket(i + 1) == 1);
  }
}

TEST_CASE("buckets add up to what was recorded") {
  Histogram h;
  h.record(0);
  h.record(1);
  h.record(20 * kSecond);
  h.record(~Nanos{0} / 4);
  std::uint64_t all = 0;
  for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) all += h.bucket(i);
  CHECK(all == 4);
  CHECK(h.bucket(0) == 2);
  CHECK(h.bucket(Histogram::kBounds.size()) == 2);
  Histogram sum;
  sum.record(1500 * kMilli);
  sum.record(250 * kMilli);
  CHECK_THAT(sum.sum_seconds(), Catch::Matchers::WithinAbs(1.75, 1e-9));
}

TEST_CASE("a counter goes up and down") {
  Counter c;
  c.add();
  c.add(5);
  c.sub(2);
  CHECK(c.get() == 4);
}

}  // namespace albatross::base_test
