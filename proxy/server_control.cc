// What operators do to the running process: weights and drains, over what the file says.
#include "proxy/server.h"

namespace albatross {

// Control thread, with each new snapshot and each change.
void Server::apply_overrides() {
  overrides_.settle(*snapshot_);
  for (const auto& g : snapshot_->groups) {
    for (const ServerEntry& e : g->servers) {
      e.slot->weight.store(overrides_.server_weight(g->name, e.slot->address, e.weight), std::memory_order_relaxed);
    }
  }
  for (const auto& l : snapshot_->listeners) {
    for (const Route& r : l->routes.all) {
      for (const ForwardTarget& t : r.targets) {
        t.weight.store(overrides_.rule_weight(r.address, snapshot_->groups[t.group]->name, t.file_weight), std::memory_order_relaxed);
      }
    }
  }
}

}  // namespace albatross
