// Time, read once a loop turn. Monotonic nanoseconds for deadlines and durations, wall time for logs and Date.
#pragma once

#include <cstdint>
#include <ctime>

namespace albatross {

using Nanos = std::uint64_t;
constexpr Nanos kMicro = 1'000;
constexpr Nanos kMilli = 1'000'000;
constexpr Nanos kSecond = 1'000'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos now() const {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<Nanos>(t.tv_sec) * kSecond + static_cast<Nanos>(t.tv_nsec);
  }
  virtual Nanos wall() const {
    timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return static_cast<Nanos>(t.tv_sec) * kSecond + static_cast<Nanos>(t.tv_nsec);
  }
  // A manual clock answers false: the loop then never waits for a deadline by itself.
  virtual bool runs() const { return true; }
};

}  // namespace albatross
