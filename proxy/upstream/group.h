// What one worker has of a server group: who is next, the pools of its servers, its queue, its retry budget. It stays
// while the configuration changes around it: update() takes a new version, and what is known of servers that stay is
// kept.
//
// Owned by the Worker, which keeps it while a lease is on it; worker's thread.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "proxy/services.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/group_queue.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/pool.h"

namespace albatross {

class GroupState {
 public:
  explicit GroupState(Services& services) : services_(services) {}
  ~GroupState();
  GroupState(const GroupState&) = delete;
  GroupState& operator=(const GroupState&) = delete;

  // Serves by this version from now on. O(servers).
  void update(std::shared_ptr<const GroupRuntime> runtime);
  // Weights have changed; `table` for the hash schedulers.
  void refresh(std::shared_ptr<const HashTable> table);
  // The configuration does not have it any more: its servers are left, who runs on them finishes.
  void remove();
  // After that, when nothing runs on it: its servers' pools may go.
  void forget_servers();

  const GroupRuntime& settings() const { return *runtime_; }
  GroupStats& stats() const { return *stats_; }
  Nanos now() const { return services_.now(); }
  bool any_usable() const { return balancer_.any_usable(now()); }
  // Nothing runs on it.
  bool idle() const { return leases_ == 0 && active_ == 0; }

  // A request begins and ends on the group, whatever becomes of its tries.
  void enter();
  void leave();

  // May a request go to the group, by its circuit breaker? Counts what is refused.
  Admission admit();

  // Takes the server that is next, or says that there is none (kNone) or none with room (kFull). `wanted`: the
  // candidate that a cookie names. `key`: what the hash schedulers go by.
  struct Ask {
    std::uint64_t key = 0;
    int wanted = Balancer::kNone;
    std::span<const ServerSlot* const> tried;  // not these, unless there is no other
  };
  int take(Flow& flow, const Ask& ask, Lease& into);
  // Must a request that comes now wait, whether there is room or not?
  bool others_come_first() const { return queue_ && queue_->others_come_first(); }
  // False: there is no queue, or it is full.
  bool enqueue(Flow& flow);
  // It waits no longer.
  void dequeue(Flow& flow);
  void room_freed() {
    if (queue_) queue_->room_freed();
  }

  // A share of the active requests, at least 10 a second (PRODUCT §2), per worker. False: none is left.
  bool take_retry_token();

  // For Lease.
  void judge(ServerPool& server, bool failed, bool trial, Nanos since);
  void left(const Lease& lease, Flow::Left how, Nanos latency, Counted counted);

 private:
  void judge_group(bool failed, bool trial);
  void make_queue();

  Services& services_;
  std::shared_ptr<const GroupRuntime> runtime_;
  GroupStats* stats_ = nullptr;
  Balancer balancer_;
  std::vector<ServerPool*> pools_;     // beside the balancer's candidates
  std::unique_ptr<GroupQueue> queue_;  // null: nothing ever waits
  std::uint32_t leases_ = 0;
  std::uint32_t active_ = 0;  // requests
  double retry_tokens_ = 10;  // see take_retry_token
  Nanos tokens_at_ = 0;
};

}  // namespace albatross
