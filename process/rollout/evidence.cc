#include "process/rollout/evidence.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace albatross {
namespace {

// Below this the test begins anew: what was seen is e³ times as likely with equal arms.
constexpr double kEqual = -3;

double times_log(std::uint64_t n, double ratio) { return n == 0 ? 0 : static_cast<double>(n) * std::log(ratio); }

ArmCount since(const ArmCount& now, const ArmCount& base) {
  return {now.requests - base.requests, now.events - base.events};
}

}  // namespace

// The logarithm of the weighted mean of the likelihood ratios.
template <std::size_t N>
double SequentialTest<N>::evidence() const {
  double largest = -1e300;
  for (const Hypothesis& h : hypotheses_) largest = std::max(largest, h.kept + h.now);
  double sum = 0;
  for (const Hypothesis& h : hypotheses_) sum += h.weight * std::exp(h.kept + h.now - largest);
  return largest + std::log(sum);
}

// The k-th beginning has 6/(πk)² of the chance; the sum over all k is 1.
template <std::size_t N>
double SequentialTest<N>::needed() const {
  const double k = static_cast<double>(beginnings_) * std::numbers::pi;
  return -std::log(false_alarm_ * 6 / (k * k));
}

template <std::size_t N>
bool SequentialTest<N>::settle() {
  if (evidence() > kEqual) return false;
  for (Hypothesis& h : hypotheses_) h.kept = h.now = 0;
  ++beginnings_;
  return true;
}

template <std::size_t N>
void SequentialTest<N>::keep() {
  for (Hypothesis& h : hypotheses_) {
    h.kept += h.now;
    h.now = 0;
  }
}

template class SequentialTest<2>;
template class SequentialTest<3>;

RatioTest::RatioTest(double factor, double false_alarm)
    : SequentialTest({{{factor, 0.5, 0, 0}, {3 * factor, 0.25, 0, 0}, {10 * factor, 0.25, 0, 0}}}, false_alarm),
      factor_(factor) {}

void RatioTest::see(const ArmCount& old_arm, const ArmCount& new_arm) {
  seen_[0] = since(old_arm, base_[0]);
  seen_[1] = since(new_arm, base_[1]);
  const auto olds = static_cast<double>(seen_[0].requests), news = static_cast<double>(seen_[1].requests);
  for (Hypothesis& h : hypotheses_) {
    h.now = 0;
    if (olds == 0 || news == 0) continue;  // nothing to compare with
    const double equal = news / (news + olds);
    const double worse = h.value * news / (h.value * news + olds);
    h.now = times_log(seen_[1].events, worse / equal) + times_log(seen_[0].events, (1 - worse) / (1 - equal));
  }
  if (!settle()) return;
  base_[0] = old_arm;
  base_[1] = new_arm;
}

void RatioTest::next_step() {
  keep();
  for (int arm : {0, 1}) base_[arm] = seen_[arm] = {};
}

bool RatioTest::is_certain() const {
  return evidence() >= needed() && seen_[1].share() >= 0.9 * factor_ * seen_[0].share();
}

SlowTest::SlowTest(double false_alarm) : SequentialTest({{{0.03, 0.5, 0, 0}, {0.3, 0.5, 0, 0}}}, false_alarm) {}

bool SlowTest::see(const ArmCount& new_arm) {
  constexpr double kAllowed = 0.01;
  for (Hypothesis& h : hypotheses_) {
    h.now = times_log(new_arm.events, h.value / kAllowed) +
            times_log(new_arm.requests - new_arm.events, (1 - h.value) / (1 - kAllowed));
  }
  return settle();
}

}  // namespace albatross
