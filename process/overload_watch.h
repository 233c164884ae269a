// Watches the process's own memory and descriptors, five times a second, and says the level that workers act on. See
// proxy/overload.h. Control thread.
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
  std::uint64_t own_descriptors_ = 0;  // all but connections
  std::uint64_t watches_ = 0;
  MemberTimer<OverloadWatch, &OverloadWatch::watch> timer_{this};
};

}  // namespace albatross
