// Measures the memory and descriptors of the process five times a second and publishes the overload level, on which
// workers act: see proxy/overload.h. Owned by the Process; control thread. Any thread may read level().
#pragma once

#include <atomic>

#include "net/loop.h"
#include "process/port_watch.h"
#include "process/serving.h"
#include "proxy/overload.h"

namespace albatross {

class OverloadWatch {
 public:
  OverloadWatch(Loop& loop, Serving& serving, StatsRegistry& stats) : loop_(loop), serving_(serving), stats_(stats) {}
  ~OverloadWatch() { loop_.cancel_timer(timer_); }

  void start();
  const std::atomic<OverloadLevel>& level() const { return level_; }
  const Resources& resources() const { return resources_; }
  const PortWatch& ports() const { return ports_; }

 private:
  void watch();
  void end_largest();
  void changed(OverloadLevel before, OverloadLevel now);

  Loop& loop_;
  Serving& serving_;
  StatsRegistry& stats_;
  PortWatch ports_;
  Resources resources_;
  std::atomic<OverloadLevel> level_{OverloadLevel::kNone};
  std::uint64_t own_descriptors_ = 0;  // all descriptors except those of connections, at start
  std::uint64_t watches_ = 0;
  MemberTimer<OverloadWatch, &OverloadWatch::watch> timer_{this};
};

}  // namespace albatross
