// Compares the new group of a rollout with the others, by what each answered since the step began. Owned by Rollouts;
// control thread. Reads the workers' counters.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "process/rollout/evidence.h"
#include "proxy/stats.h"

namespace albatross {

class Judge {
 public:
  struct Arm {
    std::uint64_t requests = 0, failures = 0;
    std::array<std::uint64_t, ArmStats::kBuckets> head_times{};
    // The time within which 99 % of the answers began; 0 without requests.
    Nanos p99() const;
  };

  // `groups`: all groups of the rule.
  Judge(const config::Rollout& plan, const std::string& rule, const std::vector<std::string>& groups,
        StatsRegistry& stats);

  // The shares have changed: what comes from now on is counted anew.
  void begin_step();
  // Why the new group must not get more requests; empty if nothing speaks against it.
  std::string look();

  // Requests that began in this step, and what is known of them, as of the last look.
  const Arm& new_arm() const { return now_[1]; }
  const Arm& old_arm() const { return now_[0]; }

 private:
  // A counter of groups, by which they are compared.
  struct Metric {
    std::string name;
    double factor = 0;
    Counter GroupStats::*counter = nullptr;
    RatioTest test;
    ArmCount base[2];
  };

  Arm total(int arm) const;
  ArmCount total(int arm, const Metric& m) const;
  std::string look_at_errors();
  std::string look_at_p99();
  std::string look_at(Metric& m);

  const std::string to_;
  const double errors_factor_, p99_factor_;
  const std::uint32_t minimum_;
  const int workers_;
  RatioTest errors_;
  SlowTest slow_;
  std::vector<Metric> metrics_;
  std::vector<ArmStatsRef> arms_[2];      // the others, and the new one
  std::vector<GroupStatsRef> groups_[2];  // the same
  Arm base_[2], now_[2];
  Arm slow_base_;  // of the new arm when the test of slow answers began anew
};

// A duration below which 99 % of the requests certainly stay, by what was seen of them: an upper bound with a
// confidence of 99 %. nullopt if that were too few for one.
std::optional<Nanos> bound_of_p99(const Judge::Arm& arm);

}  // namespace albatross
