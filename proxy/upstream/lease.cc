#include "proxy/upstream/lease.h"

#include "proxy/drains.h"
#include "proxy/upstream/group.h"
#include "proxy/upstream/pool.h"

namespace albatross {

Lease::Lease(GroupState& group, ServerPool& server, Flow& flow, Counted counted, Nanos now)
    : group_(&group), server_(&server), flow_(&flow), since_(now), counted_(counted) {
  server.leases.push_back(*this);
  server.stats->started.add();
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  release(Flow::Left::kFinished);
  group_ = other.group_;
  server_ = std::exchange(other.server_, nullptr);
  flow_ = other.flow_;
  since_ = other.since_;
  answered_ = other.answered_;
  counted_ = other.counted_;
  other.unlink();
  if (server_ != nullptr) server_->leases.push_back(*this);
  return *this;
}

ServerSlot& Lease::slot() const { return *server_->slot; }

void Lease::judge(bool failed, bool trial) {
  if (failed) server_->stats->failures.add();
  group_->judge(*server_, failed, trial, since_);
}

void Lease::answered(int status) {
  answered_ = group_->now();
  GroupStats& g = group_->stats();
  g.requests[status_class(status)].add();
  g.duration.record(answered_ - since_);
  server_->stats->requests[status_class(status)].add();
  server_->stats->latency.add((answered_ - since_) / kMicro);
}

void Lease::release(Flow::Left how) {
  if (server_ == nullptr) return;
  unlink();
  server_->stats->ended.add();
  group_->left(*this, how, answered_ > since_ ? answered_ - since_ : 0, counted_);
  server_ = nullptr;
}

}  // namespace albatross
