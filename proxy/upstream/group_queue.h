// The flows of one worker that wait until a server of their group has room, first come, first served. GroupState owns
// it; worker's thread. GroupSlot tells all workers whose first flow has waited longest, so that room goes to that
// worker, whichever worker finds it.
#pragma once

#include <memory>

#include "proxy/flow.h"
#include "proxy/services.h"
#include "routing/balancing/server_table.h"

namespace albatross {

class GroupQueue final : public Ready {
 public:
  GroupQueue(Services& services, std::shared_ptr<GroupSlot> slot) : services_(services), slot_(std::move(slot)) {}

  // `local`: each worker has its own room (connections are limited), so each serves its own flows. Otherwise there is
  // one order over all workers.
  void set_local(bool local) { local_ = local; }
  // Whether a new request must wait even if there is room, because others wait.
  bool others_come_first() const { return local_ ? !empty() : anybody_waits(); }
  void push(Flow& flow);
  // Does nothing if the flow does not wait here.
  void remove(Flow& flow);
  bool empty() const { return flows_.empty(); }
  // The number of flows that wait, on all workers.
  std::uint32_t waiting() const { return slot_->waiting.load(std::memory_order_relaxed); }
  // A server may have room: the flow that has waited longest tries to take it, here or on another worker.
  void room_freed();

 private:
  bool anybody_waits() const { return slot_->waiting.load() > 0; }
  // The index of the worker whose first flow has waited longest; -1: none waits.
  int who_is_first() const;
  void on_ready() override;
  void say_who_is_first();

  Services& services_;
  std::shared_ptr<GroupSlot> slot_;
  IntrusiveList<Flow, InQueue> flows_;
  bool local_ = false;
};

}  // namespace albatross
