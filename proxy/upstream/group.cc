#include "proxy/upstream/group.h"

#include <algorithm>

#include "base/timestamp.h"
#include "proxy/drains.h"

namespace albatross {

GroupState::~GroupState() = default;

// ---- versions ----

void GroupState::update(std::shared_ptr<const GroupRuntime> runtime) {
  for (ServerPool* p : pools_) p->candidate = -1;
  std::vector<ServerPool*> before = std::move(pools_);
  pools_.clear();
  stats_ = &runtime->stats->of(services_.index());
  std::vector<Candidate> candidates;
  candidates.reserve(runtime->servers.size());
  for (const ServerEntry& e : runtime->servers) {
    ServerPool& pool = services_.pool->server(e.slot, e.settings, runtime->stats, e.stats, services_.index());
    pool.candidate = static_cast<int>(pools_.size());
    const bool local = !runtime->zone.empty() && e.zone == runtime->zone;
    candidates.push_back({e.slot.get(), e.backup, local, e.max_requests, e.settings->limited() ? &pool : nullptr});
    pools_.push_back(&pool);
  }
  balancer_.update(runtime->balancing, *runtime->slot, std::move(candidates), runtime->hash_table, services_.random);
  std::shared_ptr<const GroupRuntime> old = std::exchange(runtime_, std::move(runtime));
  for (ServerPool* p : before) {
    if (p->candidate < 0) services_.pool->forget(*p);
  }
  if (!old) tokens_at_ = now();
  make_queue();
  if (old) services_.settings.retire(std::const_pointer_cast<GroupRuntime>(old));
}

void GroupState::make_queue() {
  if (!runtime_->queues || runtime_->queue.size == 0) {
    if (queue_ && queue_->empty()) {
      queue_.reset();
    } else if (queue_) {
      queue_->room_freed();  // there is no limit any more
    }
    return;
  }
  if (!queue_) queue_ = std::make_unique<GroupQueue>(services_, runtime_->slot);
  const auto& servers = runtime_->servers;
  queue_->set_local(
      std::any_of(servers.begin(), servers.end(), [](const ServerEntry& e) { return e.settings->limited(); }));
  queue_->room_freed();  // limits may have changed
}

void GroupState::refresh(std::shared_ptr<const HashTable> table) {
  balancer_.refresh(std::move(table));
  room_freed();
}

void GroupState::remove() {
  for (ServerPool* p : pools_) services_.pool->retire(*p);
}

void GroupState::forget_servers() {
  for (ServerPool* p : pools_) services_.pool->forget(*p);
  pools_.clear();
}

// ---- requests ----

void GroupState::enter() {
  ++active_;
  stats_->in_flight_started.add();
}

void GroupState::leave() {
  --active_;
  stats_->in_flight_ended.add();
}

Admission GroupState::admit() {
  const Admission a = albatross::admit(runtime_->circuit, *runtime_->slot, now());
  if (a == Admission::kNo) stats_->circuit_refused.add();
  return a;
}

int GroupState::take(Flow& flow, const Ask& ask, Lease& into) {
  Counted counted;
  const int i = balancer_.take({ask.key, now(), ask.tried, runtime_->fail_open}, counted, ask.wanted);
  if (i < 0) return i;
  into = Lease(*this, *pools_[static_cast<std::size_t>(i)], flow, counted, now());
  ++leases_;
  return i;
}

void GroupState::left(const Lease& lease, Flow::Left how, Nanos latency, Counted counted) {
  --leases_;
  if (services_.drains->any()) services_.drains->left(lease, how);
  Balancer::give_back(lease.slot(), *runtime_->slot, counted);
  if (lease.server().candidate >= 0) balancer_.answered(lease.server().candidate, latency, now());
  room_freed();
}

bool GroupState::enqueue(Flow& flow) {
  if (!queue_ || queue_->waiting() >= runtime_->queue.size) {
    stats_->queue_refused.add();
    return false;
  }
  stats_->queued.add();
  queue_->push(flow);
  return true;
}

void GroupState::dequeue(Flow& flow) {
  stats_->queue_left.add();
  queue_->remove(flow);
}

bool GroupState::take_retry_token() {
  const double cap = std::max(10.0, runtime_->retries.budget * active_);
  retry_tokens_ = std::min(cap, retry_tokens_ + static_cast<double>(now() - tokens_at_) / 1e9 * cap);
  tokens_at_ = now();
  if (retry_tokens_ < 1) {
    stats_->retries_over_budget.add();
    return false;
  }
  retry_tokens_ -= 1;
  stats_->retries.add();
  return true;
}

// ---- reports of tries ----

void GroupState::judge(ServerPool& server, bool failed, bool trial, Nanos since) {
  if (runtime_->circuit.failure_percent != 0) {
    judge_group(failed, trial);
  } else if (trial) {
    abandon_trial(*runtime_->slot);  // the circuit breaker has been removed meanwhile
  }
  const PassiveCheck& passive = runtime_->passive;
  ServerSlot& slot = *server.slot;
  if (passive.compares()) {
    slot.window.requests.fetch_add(1, std::memory_order_relaxed);
    if (failed) {
      slot.window.failures.fetch_add(1, std::memory_order_relaxed);
    } else {
      slot.window.latency.fetch_add((now() - since) / kMicro, std::memory_order_relaxed);
    }
  }
  if (passive.failures == 0 || server.candidate < 0) return;
  if (!observe(passive, balancer_.candidates(), static_cast<std::size_t>(server.candidate), failed, now())) return;
  runtime_->slot->ejections.fetch_add(1, std::memory_order_relaxed);
  services_.pool->retire_idle(server);
  services_.event(Level::kWarning, "server " + runtime_->name + "/" + slot.address + " is ejected: it failed " +
                                       std::to_string(passive.failures) + " requests in a row");
}

void GroupState::judge_group(bool failed, bool trial) {
  const Circuit& circuit = runtime_->circuit;
  const CircuitChange change = record(circuit, *runtime_->slot, trial, failed, now());
  if (change == CircuitChange::kNone) return;
  const bool opened = change == CircuitChange::kOpened;
  if (opened) stats_->circuit_opened.add();
  services_.event(opened ? Level::kWarning : Level::kInfo,
                  "server group " + runtime_->name +
                      (opened ? " fails: its circuit is open for " + duration_text(circuit.open)
                              : " answers again: its circuit is closed"));
}

}  // namespace albatross
