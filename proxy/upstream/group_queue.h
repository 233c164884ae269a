// Flows that wait until a server of their group has room: first come, first served. One per group and worker, owned by
// its GroupState; this worker's thread. GroupSlot says to all workers whose first has waited longest, so that room goes
// there, whichever worker finds it.
#pragma once

#include <memory>

#include "proxy/flow.h"
#include "proxy/services.h"
#include "routing/balancing/server_table.h"

namespace albatross {

class GroupQueue final : public Ready {
 public:
  GroupQueue(Services& services, std::shared_ptr<GroupSlot> slot) : services_(services), slot_(std::move(slot)) {}

  // Room that is each worker's own (connections) makes each worker serve its own; else there is one order over all.
  void set_local(bool local) { local_ = local; }
  // Must a request that comes now wait, whether there is room or not?
  bool others_come_first() const { return local_ ? !empty() : anybody_waits(); }
  void push(Flow& flow);
  // If it waits here.
  void remove(Flow& flow);
  bool empty() const { return flows_.empty(); }
  // On all workers.
  std::uint32_t waiting() const { return slot_->waiting.load(std::memory_order_relaxed); }
  // A server may have room for a request: the one who has waited longest tries, here or on another worker.
  void room_freed();

 private:
  bool anybody_waits() const { return slot_->waiting.load() > 0; }
  // The worker whose first has waited longest; -1: none waits.
  int who_is_first() const;
  void on_ready() override;
  void say_who_is_first();

  Services& services_;
  std::shared_ptr<GroupSlot> slot_;
  IntrusiveList<Flow, InQueue> flows_;
  bool local_ = false;
};

}  // namespace albatross
