// One server, taken for one try of a flow. It holds the counts of the try, and reports on the server. A retry has a
// lease of its own.
//
// GroupState::take() makes it; the GroupState outlives it. It can be moved but not copied, and is released once, at the
// latest by its destructor. While it is held, it is in its server's list, so that a drain of the server finds its flow.
// Worker's thread.
#pragma once

#include <utility>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "proxy/flow.h"
#include "routing/balancing/balancer.h"

namespace albatross {

class GroupState;
struct ServerPool;

class Lease final : public ListHook<Lease> {
 public:
  Lease() = default;
  Lease(GroupState& group, ServerPool& server, Flow& flow, Counted counted, Nanos now);
  Lease(Lease&& other) noexcept { *this = std::move(other); }
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(Flow::Left::kFinished); }

  explicit operator bool() const { return server_ != nullptr; }
  GroupState& group() const { return *group_; }
  ServerPool& server() const { return *server_; }
  ServerSlot& slot() const;
  Flow& flow() const { return *flow_; }
  // When it was taken; nanoseconds of the loop's clock.
  Nanos since() const { return since_; }

  // Reports whether the try failed, for ejection, outliers and the group's circuit breaker. `trial`: its outcome
  // decides whether the circuit closes.
  void judge(bool failed, bool trial);
  // The head of the answer has come.
  void answered(int status);
  // The try is over: gives its counts back, tells drains `how` the flow left the server, and passes the room on.
  void release(Flow::Left how);

 private:
  GroupState* group_ = nullptr;
  ServerPool* server_ = nullptr;
  Flow* flow_ = nullptr;
  Nanos since_ = 0;
  Nanos answered_ = 0;  // 0: no head has come
  Counted counted_;
};

}  // namespace albatross
