// Outliers: servers that stand out among those of their group, by the share of requests that they fail or by how long
// they take.
//
// Requests are counted in ServerSlot::window by the workers; every interval judge() looks at the group, on the control
// thread, and starts a new window.
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

// One look at one group.
void judge(const OutlierGroup& group, Nanos now, const OnEject& on_eject);

class Outliers {
 public:
  Outliers(Loop& loop, OnEject on_eject);
  ~Outliers();
  // From now on exactly these are looked at; a group that stays keeps its rhythm.
  void update(std::vector<OutlierGroup> groups);

 private:
  struct Watch;
  Loop& loop_;
  OnEject on_eject_;
  std::map<std::string, std::unique_ptr<Watch>> watches_;
};

}  // namespace albatross
