// Counters and histograms that one thread writes and any thread may read.
//
// Each worker has an instance of its own, so that an increment is a plain add: no locked instruction, no shared cache
// line. A reader may see a slightly old value. The holder of an instance owns it; the StatsRegistry keeps those of the
// workers over reloads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace albatross {

class Counter {
 public:
  void add(std::uint64_t n = 1) { v_.store(v_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void sub(std::uint64_t n = 1) { add(0 - n); }
  std::uint64_t get() const { return v_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> v_{0};
};

// Fixed bounds in seconds, as Prometheus shows them; the last bucket is +Inf.
class Histogram {
 public:
  static constexpr std::array<double, 14> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,    0.25,  0.5,    1,     2.5,  5,     10};
  void record(Nanos duration);
  // Values in that bucket alone: above kBounds[i - 1], up to kBounds[i].
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].get(); }
  double sum_seconds() const { return static_cast<double>(sum_.get()) / 1e9; }

 private:
  std::array<Counter, kBounds.size() + 1> buckets_;
  Counter sum_;
};

}  // namespace albatross
