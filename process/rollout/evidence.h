// Whether one of two arms that get requests at random does worse than the other: sequential tests, which may be looked
// at after each request and are wrong about equal arms only as often as asked (Wald 1945: a likelihood ratio exceeds
// 1/a with a chance of at most a). A test begins anew whenever what it has seen speaks clearly for the arms being
// equal, so that an hour in which nothing was wrong does not hide what is wrong then; each beginning has a smaller
// chance of a false alarm, and all of them together have the one that was asked for. Values; one thread.
#pragma once

#include <array>
#include <cstdint>

namespace albatross {

// Requests of an arm, and how many of them had an event: a failure, a slow answer.
struct ArmCount {
  std::uint64_t requests = 0;
  std::uint64_t events = 0;
  double share() const { return requests == 0 ? 0 : static_cast<double>(events) / static_cast<double>(requests); }
};

// One of the hypotheses that a test weighs against equal arms, and the logarithm of its likelihood ratio.
struct Hypothesis {
  double value = 0;          // a factor, or a share
  double weight = 0;         // of all hypotheses of the test, 1 together
  double kept = 0, now = 0;  // of earlier steps since the test began anew, and of this one
};

// What the tests have in common: the evidence of the hypotheses together, and beginning anew.
template <std::size_t N>
class SequentialTest {
 public:
  SequentialTest(const std::array<Hypothesis, N>& hypotheses, double false_alarm)
      : hypotheses_(hypotheses), false_alarm_(false_alarm) {}

  // The logarithm of the likelihood ratio, and what it takes to be certain.
  double evidence() const;
  double needed() const;
  // How often it has begun.
  std::uint64_t beginnings() const { return beginnings_; }

 protected:
  // True if the test has just begun anew.
  bool settle();
  void keep();

  std::array<Hypothesis, N> hypotheses_;

 private:
  double false_alarm_;
  std::uint64_t beginnings_ = 1;
};

// Evidence that the new arm has events `factor` times as often as the old one. Given how many events there were, each
// is in the new arm with the chance of its share of the requests if the arms are equal, and with a larger one if not.
// Larger factors are tested beside that one, because a new version that always fails should not take long.
class RatioTest : public SequentialTest<3> {
 public:
  // `false_alarm`: the chance that equal arms are ever told apart, 0 to 1.
  RatioTest(double factor, double false_alarm);

  // The counts since the arms have had the shares that they have now; they replace those given before.
  void see(const ArmCount& old_arm, const ArmCount& new_arm);
  // The shares change: counts begin at 0 again, and the evidence so far is kept.
  void next_step();
  // There is evidence enough, and what was seen is as bad: not less than nine tenths of the factor.
  bool is_certain() const;

  // What it goes by: since it began anew or the step did.
  const ArmCount& old_arm() const { return seen_[0]; }
  const ArmCount& new_arm() const { return seen_[1]; }

 private:
  double factor_;
  ArmCount base_[2], seen_[2];
};

// Evidence that more than one in a hundred requests of the new arm are slow.
class SlowTest : public SequentialTest<2> {
 public:
  explicit SlowTest(double false_alarm);

  // The counts since it began, or the step did. True: it begins anew, so the next counts are from here on.
  bool see(const ArmCount& new_arm);
  void next_step() { keep(); }
  bool is_certain() const { return evidence() >= needed(); }
};

}  // namespace albatross
