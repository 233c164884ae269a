// A clock that only a test moves. Any thread.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace albatross::test {

class ManualClock final : public Clock {
 public:
  Nanos now() const override { return now_.load(); }
  Nanos wall() const override { return kEpoch + now_.load(); }
  bool runs() const override { return false; }
  void advance(Nanos by) { now_.fetch_add(by); }

 private:
  static constexpr Nanos kEpoch = 1'700'000'000 * kSecond;
  std::atomic<Nanos> now_{1000 * kSecond};
};

}  // namespace albatross::test
