// A loop's timers: a wheel with slots of 16 ms. Moving a deadline to a later time is a single store.
//
// A Timer is a member of the object that uses it. The wheel does not own it; its destructor removes it from the wheel.
// It fires within 16 ms after its deadline, never before. One thread: the loop's.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace albatross {

class TimerWheel;

class Timer {
 public:
  Timer() = default;
  virtual ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // The deadline has passed, and the timer is no longer armed. May set it again.
  virtual void on_timer() = 0;
  bool armed() const { return deadline_ != 0; }
  // 0 if not armed.
  Nanos deadline() const { return deadline_; }

 private:
  friend class TimerWheel;
  Nanos deadline_ = 0;  // 0: none
  Timer* prev_ = nullptr;
  Timer* next_ = nullptr;
  TimerWheel* wheel_ = nullptr;
  std::uint64_t tick_ = 0;  // the tick of its slot; at most its deadline's tick
};

// A timer that calls (owner->*F)().
template <class T, void (T::*F)()>
class MemberTimer final : public Timer {
 public:
  explicit MemberTimer(T* owner) : owner_(owner) {}
  void on_timer() override { (owner_->*F)(); }

 private:
  T* owner_;
};

class TimerWheel {
 public:
  static constexpr Nanos kTick = 16 * kMilli;
  static constexpr std::uint64_t kSlots = 1024;

  explicit TimerWheel(Nanos now);
  ~TimerWheel();

  // Arms the timer, or replaces its deadline.
  void set(Timer& t, Nanos deadline);
  void cancel(Timer& t) { t.deadline_ = 0; }

  // Fires the timers that are due. A callback may set and cancel any timer.
  void advance(Nanos now);
  // Nanoseconds until advance() may have work; ~0 when there is none.
  Nanos wait(Nanos now) const;

 private:
  friend class Timer;
  void link(Timer& t, std::uint64_t tick);
  void unlink(Timer& t);

  std::array<Timer*, kSlots> slots_{};
  std::array<std::uint64_t, kSlots / 64> busy_{};
  std::uint64_t done_;       // ticks up to and including this one have been served
  Timer* cursor_ = nullptr;  // the next one in the slot being served
};

}  // namespace albatross
