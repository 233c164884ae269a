// One worker's state of a server group: the balancer, the pools of its servers, its queue, its retry budget. It
// survives changes of the configuration: update() takes a new version, and the state of servers that stay is kept.
//
// The Worker owns it, and keeps it while a lease or a request is on it. Worker's thread.
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

  // Uses this version from now on. Takes O(servers).
  void update(std::shared_ptr<const GroupRuntime> runtime);
  // Weights have changed: reads them again. `table` is for the hash schedulers.
  void refresh(std::shared_ptr<const HashTable> table);
  // The configuration has dropped the group: closes idle connections to its servers. Requests on them finish.
  void remove();
  // After remove(), when nothing runs on it: its servers' pools may be destroyed.
  void forget_servers();

  const GroupRuntime& settings() const { return *runtime_; }
  GroupStats& stats() const { return *stats_; }
  Nanos now() const { return services_.now(); }
  bool any_usable() const { return balancer_.any_usable(now()); }
  // Whether nothing runs on it.
  bool idle() const { return leases_ == 0 && active_ == 0; }

  // A request begins and ends on the group, however many tries it has.
  void enter();
  void leave();

  // Whether the circuit breaker admits a request. Counts those that it refuses.
  Admission admit();

  // Takes the next server and puts its lease into `into`. Returns its index; or Balancer::kNone if there is none, or
  // kFull if none has room. `wanted`: the index of the server that a cookie names. `key`: for the hash schedulers.
  struct Ask {
    std::uint64_t key = 0;
    int wanted = Balancer::kNone;
    std::span<const ServerSlot* const> tried;  // taken only if there is no other
  };
  int take(Flow& flow, const Ask& ask, Lease& into);
  // Whether a new request must wait even if there is room, because others wait.
  bool others_come_first() const { return queue_ && queue_->others_come_first(); }
  // False if there is no queue or it is full.
  bool enqueue(Flow& flow);
  // Removes the flow from the queue.
  void dequeue(Flow& flow);
  void room_freed() {
    if (queue_) queue_->room_freed();
  }

  // Takes one retry of the budget: a share of the active requests, at least 10 a second, for each worker. False if none
  // is left.
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
  std::vector<ServerPool*> pools_;     // by the index of the balancer's candidates
  std::unique_ptr<GroupQueue> queue_;  // null: no request ever waits
  std::uint32_t leases_ = 0;
  std::uint32_t active_ = 0;  // requests on the group
  double retry_tokens_ = 10;  // see take_retry_token
  Nanos tokens_at_ = 0;
};

}  // namespace albatross
