// What a worker keeps of one listener: its connections, its flows, and the version of its configuration that new
// requests are served by. Outlives the configuration that names it, until its last connection has gone. Worker's
// thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/flow.h"
#include "proxy/snapshot.h"
#include "session/connection.h"

namespace albatross {

// This worker's means to match by one RuleSet. Shared by the views of listeners whose rules did not change.
struct WorkerRules {
  std::shared_ptr<const RuleSet> rules;
  std::unique_ptr<RuleTable::Matcher> matcher;
  std::vector<RuleStats*> stats;  // beside rules->routes.all
};

// One version of a listener, as exchanges that began under it see it.
struct ListenerView {
  std::shared_ptr<const ListenerRuntime> listener;
  std::shared_ptr<WorkerRules> rules;
  std::uint32_t pins = 1;  // exchanges; the slot's own counts as one
  bool current = true;
};

struct ListenerSlot {
  std::string name;
  SessionSettings settings;      // what its connections look at
  ListenerView* view = nullptr;  // null: not served yet
  ListenerStatsRef stats_ref;
  ListenerStats* stats = nullptr;
  IntrusiveList<Connection> connections;  // by last activity, the oldest first
  std::size_t connection_count = 0;
  IntrusiveList<Flow, OfListener> flows;
  bool retired = false;  // the configuration does not have it any more
};

}  // namespace albatross
