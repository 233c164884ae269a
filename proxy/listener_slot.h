// What a worker keeps of one listener: its connections, its flows, and the version of its configuration that new
// requests run by. Listeners owns it. It lives on after the configuration has dropped the listener, until the last
// connection has closed. Worker's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/flow.h"
#include "proxy/snapshot.h"
#include "session/connection.h"

namespace albatross {

// One worker's matcher of a RuleSet and its counters. Versions of a listener whose rules did not change share it.
struct WorkerRules {
  std::shared_ptr<const RuleSet> rules;
  std::unique_ptr<RuleTable::Matcher> matcher;
  std::vector<RuleStats*> stats;  // by the index in rules->routes.all
};

// One version of a listener. Exchanges that began under it pin it; when the last has unpinned it, it goes to the
// control thread, which destroys it.
struct ListenerView {
  std::shared_ptr<const ListenerRuntime> listener;
  std::shared_ptr<WorkerRules> rules;
  std::uint32_t pins = 1;  // the exchanges that run by it, and one for the slot while it is current
  bool current = true;
};

struct ListenerSlot {
  std::string name;
  SessionSettings settings;      // its connections refer to these, so a new version holds for them, too
  ListenerView* view = nullptr;  // the current version; null: not served yet
  ListenerStatsRef stats_ref;
  ListenerStats* stats = nullptr;
  IntrusiveList<Connection> connections;  // by their last request, the oldest first
  std::size_t connection_count = 0;
  IntrusiveList<Flow, OfListener> flows;
  bool retired = false;  // the configuration has dropped the listener
};

}  // namespace albatross
