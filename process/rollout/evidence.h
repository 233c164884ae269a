// Whether one of two arms that get requests at random does worse than the other: sequential tests, which may be looked
// at after each request and are wrong about equal arms only as often as asked (Wald 1945: a likelihood ratio exceeds
// 1/a with a chance of at most a). Values; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace albatross {

// Requests of an arm, and how many of them had an event: a failure, a slow answer.
struct ArmCount {
  std::uint64_t requests = 0;
  std::uint64_t events = 0;
};

// Evidence that the new arm has events `factor` times as often as the old one. Given how many events there were, each
// is in the new arm with the chance of its share of the requests if the arms are equal, and with a larger one if not.
// Larger factors are tested beside that one, because a new version that always fails should not take long.
class RatioTest {
 public:
  // `false_alarm`: the chance that equal arms are ever told apart, 0 to 1.
  RatioTest(double factor, double false_alarm);

  // The counts since the arms have had the shares that they have now; they replace those given before.
  void see(const ArmCount& old_arm, const ArmCount& new_arm);
  // The shares change: counts begin at 0 again, and the evidence so far is kept.
  void next_step();

  bool is_certain() const { return evidence() >= needed_; }
  // Logarithms of likelihood ratios: what there is, and what it takes.
  double evidence() const;
  double needed() const { return needed_; }

 private:
  struct Alternative {
    double factor = 0, weight = 0;
    double kept = 0, now = 0;  // of earlier steps, and of this one
  };
  std::array<Alternative, 3> alternatives_;
  double needed_;
};

// Evidence that more than one in a hundred requests of the new arm are slow.
class SlowTest {
 public:
  explicit SlowTest(double false_alarm);

  void see(const ArmCount& new_arm);
  void next_step();

  bool is_certain() const { return evidence() >= needed_; }
  double evidence() const;
  double needed() const { return needed_; }

 private:
  struct Alternative {
    double share = 0, weight = 0;
    double kept = 0, now = 0;
  };
  std::array<Alternative, 2> alternatives_;
  double needed_;
};

}  // namespace albatross
