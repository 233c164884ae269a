// One server, taken for one try of a flow: what the try is counted in, and what it tells of its server. A retry, and
// whoever else sends something to a server, has a Lease of its own.
//
// A GroupState gives it out (GroupState::take) and outlives it. Move-only; it is released once, at the latest when it
// is destroyed. While it is held it is in its server's list, and so is its flow for who drains that server. Worker's
// thread.
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

  // What the try has met, for ejection, outliers and the group's circuit. `trial`: its outcome decides the circuit.
  void judge(bool failed, bool trial);
  // The head of an answer has come.
  void answered();
  // The answer is whole.
  void finished(int status);
  // The try is over, and how it left the server: what it counts in is given back, drains are told, room is passed on.
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
