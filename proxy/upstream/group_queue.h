// Requests that wait until a server of their group has room: first come, first served. One per group and worker, owned
// by the worker, which drops it when no GroupState names it any more; this worker's thread. GroupSlot says to all
// workers whose first has waited longest, so that room goes there, whichever worker finds it.
#pragma once

#include <memory>

#include "net/loop.h"
#include "routing/balancing/server_table.h"

namespace albatross {

class Exchange;
class Worker;

class GroupQueue final : public Ready {
 public:
  GroupQueue(Worker& worker, std::shared_ptr<GroupSlot> slot) : worker_(worker), slot_(std::move(slot)) {}

  // Room that is each worker's own (connections) makes each worker serve its own; else there is one order over all.
  void set_local(bool local) { local_ = local; }
  // Must a request that comes now wait, whether there is room or not?
  bool others_come_first() const { return local_ ? first_ != nullptr : anybody_waits(); }
  void push(Exchange& x);
  // If it waits here.
  void remove(Exchange& x);
  std::uint32_t waiting() const { return slot_->waiting.load(std::memory_order_relaxed); }
  // A server may have room for a request: the one who has waited longest tries, here or on another worker.
  void room_freed();

 private:
  bool anybody_waits() const { return slot_->waiting.load() > 0; }
  // The worker whose first has waited longest; -1: none waits.
  int who_is_first() const;
  void serve_soon();
  void on_ready() override;
  void say_who_is_first();

  Worker& worker_;
  std::shared_ptr<GroupSlot> slot_;
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  bool local_ = false;
};

}  // namespace albatross
