// Runs the rollouts of rules: moves weights step by step, compares the groups (Judge), takes the requests back if the
// new one does worse. Owned by the Process; control thread. While none is open it does nothing.
//
// Weights are set as overrides of an operator, so they survive reloads and take-overs like those. The rollouts
// themselves go to the process that takes over; a process that starts anew begins with the weights of its file, and has
// only the records.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "process/control.h"
#include "process/operator.h"
#include "process/rollout/judge.h"
#include "process/rollout/rollout.h"
#include "process/serving.h"

namespace albatross {

class Rollouts final : public RolloutControl {
 public:
  Rollouts(Serving& serving, StatsRegistry& stats, Operator& changes)
      : serving_(serving), stats_(stats), operator_(changes), timer_(serving.io) {}

  // Where the records are kept; empty: nowhere. Reads those of earlier processes.
  void keep_in(const std::string& folder);
  // Goes on with the rollouts of the process that this one takes over from: what json() gave there.
  void inherit(const std::string& json) { inherited_ = json; }
  std::string json() const;

  // A configuration is in force: rollouts that it does not have any more, or has differently, end.
  void installed();
  // Another process goes on with them, or this one ends.
  void stop();

  // RolloutControl
  ControlResult act(const std::string& rule, Verb verb, bool dry_run) override;
  std::vector<RolloutView> all() const override;

 private:
  struct Plan {
    const config::Rollout* rollout = nullptr;
    std::vector<config::WeightedGroup> groups;
    std::string text;  // changes with any of it
  };
  // A rollout that is open, with its plan.
  struct Open {
    Plan plan;
    std::unique_ptr<Judge> judge;
  };

  Plan plan_of(const std::string& rule) const;
  std::vector<std::string> rules() const;
  Rollout* find(const std::string& rule);
  void open(Rollout& r, Plan plan);
  ControlResult start(const std::string& rule, bool dry_run);
  ControlResult resume(Rollout& r);
  ControlResult move_to(Rollout& r, std::uint32_t percent, RolloutEntry why);
  ControlResult restore(Rollout& r, RolloutEntry why);
  void begin_step(Rollout& r, std::size_t step, RolloutEntry why);
  void close(Rollout& r, RolloutPhase phase);
  void add(Rollout& r, RolloutEntry entry);
  void save();
  void tick();
  void look_at(Rollout& r);
  void arm_timer();

  Serving& serving_;
  StatsRegistry& stats_;
  Operator& operator_;
  boost::asio::steady_timer timer_;
  std::string folder_;     // of the records; empty: none
  std::string inherited_;  // until the first configuration is in force
  bool stopped_ = false;
  std::vector<Rollout> rollouts_;     // the last one of each rule; open ones and others
  std::vector<Rollout> earlier_;      // those before them, the newest last
  std::map<std::string, Open> open_;  // by rule
};

}  // namespace albatross
