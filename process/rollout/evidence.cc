#include "process/rollout/evidence.h"

#include <algorithm>
#include <cmath>

namespace albatross {
namespace {

// The logarithm of the weighted mean of the alternatives' likelihood ratios.
template <class Alternatives>
double mixed(const Alternatives& all) {
  double largest = -1e300;
  for (const auto& a : all) largest = std::max(largest, a.kept + a.now);
  double sum = 0;
  for (const auto& a : all) sum += a.weight * std::exp(a.kept + a.now - largest);
  return largest + std::log(sum);
}

template <class Alternatives>
void keep(Alternatives& all) {
  for (auto& a : all) {
    a.kept += a.now;
    a.now = 0;
  }
}

double times_log(std::uint64_t n, double ratio) { return n == 0 ? 0 : static_cast<double>(n) * std::log(ratio); }

}  // namespace

RatioTest::RatioTest(double factor, double false_alarm) : needed_(-std::log(false_alarm)) {
  alternatives_ = {{{factor, 0.5, 0, 0}, {3 * factor, 0.25, 0, 0}, {10 * factor, 0.25, 0, 0}}};
}

void RatioTest::see(const ArmCount& old_arm, const ArmCount& new_arm) {
  const auto olds = static_cast<double>(old_arm.requests), news = static_cast<double>(new_arm.requests);
  for (Alternative& a : alternatives_) {
    a.now = 0;
    if (olds == 0 || news == 0) continue;  // nothing to compare with
    const double equal = news / (news + olds);
    const double worse = a.factor * news / (a.factor * news + olds);
    a.now = times_log(new_arm.events, worse / equal) + times_log(old_arm.events, (1 - worse) / (1 - equal));
  }
}

void RatioTest::next_step() { keep(alternatives_); }
double RatioTest::evidence() const { return mixed(alternatives_); }

SlowTest::SlowTest(double false_alarm) : needed_(-std::log(false_alarm)) {
  alternatives_ = {{{0.03, 0.5, 0, 0}, {0.3, 0.5, 0, 0}}};
}

void SlowTest::see(const ArmCount& new_arm) {
  constexpr double kAllowed = 0.01;
  for (Alternative& a : alternatives_) {
    a.now = times_log(new_arm.events, a.share / kAllowed) +
            times_log(new_arm.requests - new_arm.events, (1 - a.share) / (1 - kAllowed));
  }
}

void SlowTest::next_step() { keep(alternatives_); }
double SlowTest::evidence() const { return mixed(alternatives_); }

}  // namespace albatross
