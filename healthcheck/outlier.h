// Ejects outliers: servers that fail more of their requests, or take much longer, than the others of their group.
//
// Workers count requests in ServerSlot::window. At each interval judge() compares the servers of a group, ejects as
// PassiveCheck says, and starts a new window. One thread: the control thread's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "healthcheck/passive.h"
#include "net/loop.h"

namespace albatross {

struct OutlierGroup {
  std::string name;
  PassiveCheck check;
  std::vector<std::shared_ptr<ServerSlot>> servers;
};

// Called for each server that was ejected, with the reason: "45 % of 200 requests failed".
using OnEject = std::function<void(const ServerSlot& slot, const std::string& why)>;

// Compares the servers of one group once.
void judge(const OutlierGroup& group, Nanos now, const OnEject& on_eject);

// Judges the groups at their intervals.
class Outliers {
 public:
  Outliers(Loop& loop, OnEject on_eject);
  ~Outliers();
  // Judges exactly these groups from now on; one that stays keeps its next time.
  void update(std::vector<OutlierGroup> groups);

 private:
  struct Watch;
  Loop& loop_;
  OnEject on_eject_;
  std::map<std::string, std::unique_ptr<Watch>> watches_;
};

}  // namespace albatross
