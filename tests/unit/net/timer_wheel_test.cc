#include "net/timer_wheel.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "base/siphash.h"

namespace albatross::net_test {
namespace {

constexpr Nanos kStart = 1'000 * kSecond + 5 * kMilli;
constexpr Nanos kTick = TimerWheel::kTick;

struct Alarm final : Timer {
  void on_timer() override {
    ++fired;
    if (then) then();
  }
  int fired = 0;
  std::function<void()> then;
};

// Advances in small steps and checks that a timer fires once, not before its deadline, and at most one slot late.
void expect_fires(TimerWheel& wheel, Alarm& alarm, Nanos from, Nanos deadline, Nanos step = kMilli) {
  for (Nanos at = from; at < deadline; at += step) {
    wheel.advance(at);
    REQUIRE(alarm.fired == 0);
  }
  wheel.advance(deadline + kTick);
  CHECK(alarm.fired == 1);
  CHECK_FALSE(alarm.armed());
}

}  // namespace

TEST_CASE("a timer fires after its deadline, at most one slot late") {
  for (Nanos delay :
       {Nanos{0}, Nanos{1}, kMilli, kTick - 1, kTick, kTick + 1, 100 * kMilli, 1 * kSecond, 3 * kSecond + 7}) {
    CAPTURE(delay);
    TimerWheel wheel(kStart);
    Alarm a;
    wheel.set(a, kStart + delay);
    CHECK(a.armed());
    CHECK(a.deadline() == kStart + delay);
    expect_fires(wheel, a, kStart, kStart + delay);
  }
}

TEST_CASE("deadlines beyond the wheel's horizon are kept") {
  for (Nanos delay : {kTick * TimerWheel::kSlots - 1, kTick * TimerWheel::kSlots, kTick * TimerWheel::kSlots + 1,
                      60 * kSecond, 3600 * kSecond}) {
    TimerWheel wheel(kStart);
    Alarm a;
    wheel.set(a, kStart + delay);
    expect_fires(wheel, a, kStart, kStart + delay, 7 * kMilli);
  }
}

TEST_CASE("a timer that is set in the past fires at the next slot") {
  TimerWheel wheel(kStart);
  Alarm a, zero;
  wheel.set(a, kStart - 10 * kSecond);
  wheel.set(zero, 0);
  CHECK(zero.armed());
  wheel.advance(kStart + kTick);
  CHECK(a.fired == 1);
  CHECK(zero.fired == 1);
}

TEST_CASE("a deadline moves later without firing at the old one") {
  TimerWheel wheel(kStart);
  Alarm a;
  wheel.set(a, kStart + 50 * kMilli);
  for (int i = 1; i <= 1000; ++i) {
    wheel.set(a, kStart + static_cast<Nanos>(i + 50) * kMilli);
    wheel.advance(kStart + static_cast<Nanos>(i) * kMilli);
  }
  CHECK(a.fired == 0);
  expect_fires(wheel, a, kStart + 1001 * kMilli, kStart + 1050 * kMilli);
}

TEST_CASE("a deadline moves earlier") {
  TimerWheel wheel(kStart);
  Alarm a;
  wheel.set(a, kStart + 100 * kSecond);
  wheel.set(a, kStart + 10 * kSecond);
  wheel.set(a, kStart + 200 * kMilli);
  expect_fires(wheel, a, kStart, kStart + 200 * kMilli);
  wheel.advance(kStart + 200 * kSecond);
  CHECK(a.fired == 1);
}

TEST_CASE("a cancelled timer never fires and can be set again") {
  TimerWheel wheel(kStart);
  Alarm a;
  wheel.cancel(a);
  wheel.set(a, kStart + 50 * kMilli);
  wheel.cancel(a);
  CHECK_FALSE(a.armed());
  wheel.advance(kStart + kSecond);
  CHECK(a.fired == 0);
  wheel.set(a, kStart + 2 * kSecond);
  wheel.cancel(a);
  wheel.set(a, kStart + 1500 * kMilli);
  expect_fires(wheel, a, kStart + kSecond, kStart + 1500 * kMilli);
}

TEST_CASE("after a long pause everything due fires and nothing else") {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Alarm>> due, later;
  for (int i = 0; i < 2000; ++i) {
    due.push_back(std::make_unique<Alarm>());
    later.push_back(std::make_unique<Alarm>());
    wheel.set(*due.back(), kStart + static_cast<Nanos>(i) * 17 * kMilli);
    wheel.set(*later.back(), kStart + 1000 * kSecond + static_cast<Nanos>(i) * 17 * kMilli);
  }
  wheel.advance(kStart + 900 * kSecond);
  for (auto& a : due) REQUIRE(a->fired == 1);
  for (auto& a : later) REQUIRE(a->fired == 0);
}

TEST_CASE("a callback may set itself and others") {
  TimerWheel wheel(kStart);
  Alarm a, b, c;
  Nanos now = kStart;
  a.then = [&] {
    wheel.set(a, now + 100 * kMilli);
    wheel.set(b, now);
    wheel.set(c, now + 20 * kSecond);
  };
  wheel.set(a, kStart);
  for (int i = 0; i < 1000; ++i) {
    now += kMilli;
    wheel.advance(now);
  }
  CHECK(a.fired >= 8);
  CHECK(a.fired <= 11);
  CHECK(b.fired >= 8);
  CHECK(c.fired == 0);
  wheel.cancel(a);
  wheel.advance(now + 30 * kSecond);
  CHECK(c.fired == 1);
}

TEST_CASE("a callback may cancel and destroy any timer, itself too") {
  for (int victims = 0; victims < 8; ++victims) {
    TimerWheel wheel(kStart);
    std::vector<std::unique_ptr<Alarm>> all;
    int fired = 0;
    for (int i = 0; i < 8; ++i) {
      all.push_back(std::make_unique<Alarm>());
      wheel.set(*all.back(), kStart + kMilli);
    }
    for (auto& a : all) {
      a->then = [&, victims] {
        // The first to fire kills `victims` timers from the front, itself among them maybe.
        if (fired++ > 0) return;
        for (int i = 0; i < victims; ++i) all[static_cast<std::size_t>(i)].reset();
        if (all[7]) wheel.cancel(*all[7]);
      };
    }
    auto first = [&] { wheel.advance(kStart + kSecond); };
    first();
    CHECK(fired <= 8);
    CHECK(fired >= 8 - victims - 1);
    wheel.advance(kStart + 100 * kSecond);
  }
}

TEST_CASE("a wheel may go before its timers") {
  Alarm a;
  {
    TimerWheel wheel(kStart);
    wheel.set(a, kStart + kSecond);
  }
  TimerWheel next(kStart);
  next.set(a, kStart + kSecond);
  next.advance(kStart + 2 * kSecond);
  CHECK(a.fired == 1);
}

TEST_CASE("the wait ends when there may be work, and not much before") {
  CHECK(TimerWheel(kStart).wait(kStart) == ~Nanos{0});
  for (Nanos delay : {Nanos{0}, kMilli, 100 * kMilli, 5 * kSecond, 16 * kSecond}) {
    TimerWheel wheel(kStart);
    Alarm a;
    wheel.set(a, kStart + delay);
    Nanos wait = wheel.wait(kStart);
    CHECK(wait >= delay);
    CHECK(wait <= delay + kTick);
    CHECK(wheel.wait(kStart + 100 * kSecond) == 0);
    wheel.advance(kStart + wait);
    CHECK(a.fired == 1);
    CHECK(wheel.wait(kStart + wait) == ~Nanos{0});
  }
  TimerWheel wheel(kStart);
  Alarm far;
  wheel.set(far, kStart + 1000 * kSecond);
  for (Nanos now = kStart; far.fired == 0;) {
    Nanos wait = wheel.wait(now);
    REQUIRE(wait > 0);
    REQUIRE(wait <= kTick * (TimerWheel::kSlots + 1));
    now += wait;
    wheel.advance(now);
    REQUIRE(now <= kStart + 1000 * kSecond + kTick);
  }
}

TEST_CASE("ten thousand random timers agree with a sorted list") {
  Random random(42);
  TimerWheel wheel(kStart);
  struct Entry {
    Alarm alarm;
    Nanos deadline = 0;
    int fired = 0;
  };
  std::vector<std::unique_ptr<Entry>> entries(10'000);
  Nanos now = kStart, before = kStart;
  int late = 0, early = 0, fired = 0;
  for (auto& e : entries) {
    e = std::make_unique<Entry>();
    Entry* p = e.get();
    p->alarm.then = [&, p] {
      ++fired;
      if (p->deadline == 0 || p->deadline > now) ++early;
      // Due a whole slot before the advance that came before this one: it should have fired then.
      if (p->deadline + kTick <= before) ++late;
      p->deadline = 0;
    };
  }
  for (int round = 0; round < 4000; ++round) {
    for (int k = 0; k < 20; ++k) {
      Entry& e = *entries[random.below(entries.size())];
      if (random.below(5) == 0) {
        wheel.cancel(e.alarm);
        e.deadline = 0;
      } else {
        e.deadline = now + random.below(random.below(2) == 0 ? kSecond : 40 * kSecond);
        wheel.set(e.alarm, e.deadline);
      }
    }
    before = now;
    now += random.below(random.below(50) == 0 ? 20 * kSecond : 30 * kMilli);
    wheel.advance(now);
    for (auto& e : entries) {
      if (e->deadline != 0 && e->deadline + kTick <= now) ++late;
    }
    REQUIRE(late == 0);
    REQUIRE(early == 0);
  }
  CHECK(fired > 10'000);
}

}  // namespace albatross::net_test
