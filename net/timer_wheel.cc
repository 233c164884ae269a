#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace albatross {

Timer::~Timer() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

TimerWheel::TimerWheel(Nanos now) : done_(now / kTick) {}

TimerWheel::~TimerWheel() {
  for (Timer* t : slots_) {
    for (; t != nullptr; t = t->next_) t->wheel_ = nullptr;
  }
}

void TimerWheel::link(Timer& t, std::uint64_t tick) {
  std::uint64_t at = tick % kSlots;
  t.wheel_ = this;
  t.tick_ = tick;
  t.prev_ = nullptr;
  t.next_ = slots_[at];
  if (t.next_ != nullptr) t.next_->prev_ = &t;
  slots_[at] = &t;
  busy_[at / 64] |= std::uint64_t{1} << (at % 64);
}

void TimerWheel::unlink(Timer& t) {
  if (cursor_ == &t) cursor_ = t.next_;
  if (t.next_ != nullptr) t.next_->prev_ = t.prev_;
  if (t.prev_ != nullptr) {
    t.prev_->next_ = t.next_;
  } else {
    std::uint64_t at = t.tick_ % kSlots;
    slots_[at] = t.next_;
    if (t.next_ == nullptr) busy_[at / 64] &= ~(std::uint64_t{1} << (at % 64));
  }
  t.wheel_ = nullptr;
}

void TimerWheel::set(Timer& t, Nanos deadline) {
  t.deadline_ = std::max<Nanos>(deadline, 1);
  // The slot after the deadline's, so that it never fires early.
  std::uint64_t tick = std::max(deadline / kTick + 1, done_ + 1);
  tick = std::min(tick, done_ + kSlots);  // beyond the horizon: checked once a round
  if (t.wheel_ == this) {
    if (t.tick_ <= tick) return;
    unlink(t);
  }
  link(t, tick);
}

void TimerWheel::advance(Nanos now) {
  std::uint64_t target = now / kTick;
  if (target > done_ + kSlots) done_ = target - kSlots;  // a long pause: every slot once is enough
  while (done_ < target) {
    ++done_;
    std::uint64_t at = done_ % kSlots;
    if ((busy_[at / 64] >> (at % 64) & 1) == 0) continue;
    for (Timer* t = slots_[at]; t != nullptr; t = cursor_) {
      cursor_ = t->next_;
      if (t->tick_ > done_) continue;
      unlink(*t);
      if (t->deadline_ == 0) continue;
      if (t->deadline_ > now) {
        set(*t, t->deadline_);
        continue;
      }
      t->deadline_ = 0;
      t->on_timer();
    }
  }
  cursor_ = nullptr;
}

Nanos TimerWheel::wait(Nanos now) const {
  for (std::uint64_t i = 1; i <= kSlots;) {
    std::uint64_t at = (done_ + i) % kSlots;
    std::uint64_t word = busy_[at / 64] >> (at % 64);
    if (word == 0) {
      i += 64 - at % 64;
      continue;
    }
    std::uint64_t tick = done_ + i + static_cast<std::uint64_t>(std::countr_zero(word));
    Nanos when = tick * kTick;
    return when > now ? when - now : 0;
  }
  return ~Nanos{0};
}

}  // namespace albatross
