// A worker's state of one listener: its connections, its flows, and the version of its configuration that new requests
// use. Listeners owns it. After the configuration has dropped the listener, it lives until the last connection has
// closed. Worker's thread.
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

// One version of a listener. Exchanges that began under it pin it. When the last one has unpinned it, the control
// thread destroys it.
struct ListenerView {
  std::shared_ptr<const ListenerRuntime> listener;
  std::shared_ptr<WorkerRules> rules;
  std::uint32_t pins = 1;  // the exchanges that use it, and one for the slot while it is current
  bool current = true;
};

struct ListenerSlot {
  std::string name;
  SessionSettings settings;      // its connections refer to these, so a new version applies to them, too
  ListenerView* view = nullptr;  // the current version; null: not served yet
  ListenerStatsRef stats_ref;
  ListenerStats* stats = nullptr;
  IntrusiveList<Connection> connections;  // by their last request, the oldest first
  std::size_t connection_count = 0;
  IntrusiveList<Flow, OfListener> flows;
  bool retired = false;  // the configuration has dropped the listener
};

}  // namespace albatross
