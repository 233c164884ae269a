// Time in nanoseconds: monotonic for deadlines and durations, wall time for logs and the Date field. A Loop reads its
// clock once a turn; tests give it one that they move by hand. Any thread.
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
  // Nanoseconds since some fixed point in the past; never goes back.
  virtual Nanos now() const { return read(CLOCK_MONOTONIC); }
  // Nanoseconds since 1970; jumps when the system's clock is set.
  virtual Nanos wall() const { return read(CLOCK_REALTIME); }
  // False for a clock that is moved by hand: the loop then never sleeps until a deadline.
  virtual bool runs() const { return true; }

 private:
  static Nanos read(clockid_t id) {
    timespec t;
    clock_gettime(id, &t);
    return static_cast<Nanos>(t.tv_sec) * kSecond + static_cast<Nanos>(t.tv_nsec);
  }
};

}  // namespace albatross
