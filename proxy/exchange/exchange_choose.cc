// Which group and which server; what a request tells about them; waiting for room.
#include <charconv>

#include "proxy/exchange/exchange.h"
#include "proxy/upstream/group_queue.h"
#include "proxy/worker.h"
#include "routing/rules/condition.h"

namespace albatross {

std::uint32_t Exchange::choose_group(const Route& route) {
  if (route.one_target) return route.first_group;
  auto weight = [](const ForwardTarget& t) { return t.weight.load(std::memory_order_relaxed); };
  if (route.sticky != 0) {
    if (auto cookie = find_cookie(head_.fields, route.sticky_cookie)) {
      for (const ForwardTarget& t : route.targets) {
        GroupState& g = snapshot_->groups[t.group];
        if (weight(t) > 0 && *cookie == g.group->name && g.balancer.any_usable(now())) return t.group;
      }
    }
    set_cookie_ = true;
  }
  std::uint64_t total = 0;
  for (const ForwardTarget& t : route.targets) total += weight(t);
  std::uint64_t at = worker_.random().below(total);
  for (const ForwardTarget& t : route.targets) {
    std::uint32_t w = weight(t);
    if (at < w) return t.group;
    at -= w;
  }
  return route.targets[0].group;  // every weight is zero: the first, as its servers may still be healthy
}

// What the hash schedulers go by. A request without it may go anywhere.
std::uint64_t Exchange::server_key() {
  const HashSource& by = group().group->hash;
  std::optional<std::string_view> text;
  switch (by.on) {
    case HashSource::On::kSourceIp: text = client_text_; break;
    case HashSource::On::kPath: text = head_.path; break;
    case HashSource::On::kCookie: text = find_cookie(head_.fields, by.name); break;
    case HashSource::On::kQuery:
      any_parameter(head_.query, by.name, [&text](std::string_view value) {
        text = value;
        return true;
      });
      break;
    case HashSource::On::kHeader:
      if (const Field* f = head_.fields.find(by.name)) text = f->value();
      break;
  }
  return text ? hash_key(*text) : worker_.random().next();
}

// The server that the client's cookie names.
int Exchange::sticky_server() {
  GroupState& g = group();
  wanted_ = -1;
  auto cookie = find_cookie(head_.fields, g.group->sticky.cookie);
  if (!cookie || cookie->size() != 16) return -1;
  std::uint64_t number = 0;
  if (std::from_chars(cookie->data(), cookie->data() + 16, number, 16).ptr != cookie->data() + 16) return -1;
  auto it = g.group->sticky.servers.find(number);
  if (it == g.group->sticky.servers.end()) return -1;
  wanted_ = it->second;
  return wanted_;
}

void Exchange::judge(Try& t, bool failed) {
  if (t.pool == nullptr) return;
  GroupState& g = group();
  const GroupRuntime& r = *g.group;
  ServerSlot& slot = *t.pool->slot;
  if (failed) t.pool->server_stats->failures.add();
  if (r.circuit.failure_percent != 0) judge_group(failed);
  if (r.passive.compares()) {
    slot.window.requests.fetch_add(1, std::memory_order_relaxed);
    if (failed) {
      slot.window.failures.fetch_add(1, std::memory_order_relaxed);
    } else {
      slot.window.latency.fetch_add((now() - t.started) / kMicro, std::memory_order_relaxed);
    }
  }
  if (r.passive.failures == 0 ||
      !observe(r.passive, g.balancer.candidates(), static_cast<std::size_t>(t.candidate), failed, now()))
    return;
  r.slot->ejections.fetch_add(1, std::memory_order_relaxed);
  worker_.pool().retire_idle(*t.pool);
  worker_.event("server " + r.name + "/" + slot.address + " is ejected: it failed " +
                std::to_string(r.passive.failures) + " requests in a row");
}

// ---- the group's circuit breaker ----

bool Exchange::admitted_by_circuit() {
  const GroupRuntime& r = *group().group;
  Admission a = albatross::admit(r.circuit, *r.slot, now());
  circuit_trial_ = a == Admission::kTrial;
  if (a != Admission::kNo) return true;
  group().stats->circuit_refused.add();
  answer(internal_error(Cause::kCircuitOpen));
  return false;
}

void Exchange::judge_group(bool failed) {
  const GroupRuntime& r = *group().group;
  CircuitChange change = record(r.circuit, *r.slot, circuit_trial_, failed, now());
  circuit_trial_ = false;
  if (change == CircuitChange::kNone) return;
  bool opened = change == CircuitChange::kOpened;
  if (opened) group().stats->circuit_opened.add();
  worker_.event("server group " + r.name +
                (opened ? " fails: its circuit is open for " + std::to_string(r.circuit.open / kSecond) + " s"
                        : " answers again: its circuit is closed"));
}

// ---- servers ----

// One that takes the request now, and has it counted; or Balancer::kNone or kFull. Not one already tried, unless there
// is no other.
int Exchange::take_server() {
  GroupState& g = group();
  int wanted = attempts_ == 1 && !g.group->sticky.cookie.empty() ? sticky_server() : Balancer::kNone;
  std::array<int, kMaxTries> tried;
  std::size_t n = 0;
  for (int k = 0; k < attempts_ - 1; ++k) tried[n++] = tries_[static_cast<std::size_t>(k)].candidate;
  Balancer::Ask ask;
  ask.now = now();
  ask.tried = {tried.data(), n};
  ask.fail_open = g.group->fail_open;
  if (g.group->balancing.scheduler == Scheduler::kHash) ask.key = server_key();
  return g.balancer.take(ask, wanted);
}

void Exchange::wait_for_room() {
  GroupState& g = group();
  const QueueSettings& q = g.group->queue;
  if (!g.queue || g.queue->waiting() >= q.size) {
    --attempts_;
    g.stats->queue_refused.add();
    return answer(Error{Cause::kOverLimit, Source::kInternal, RetrySafety::kNever, 0,
                        "the server group is full, and so is its queue"});
  }
  g.stats->queued.add();
  queue_deadline_ = now() + q.timeout;
  g.queue->push(*this);
  arm_first();
}

bool Exchange::leave_queue() {
  int i = take_server();
  if (i == Balancer::kFull) return false;
  queue_deadline_ = 0;
  group().stats->queue_left.add();
  group().queue->remove(*this);
  connect_to(i);
  return true;
}

// It will not be forwarded any more.
void Exchange::forget_queue() {
  if (queue_link.in == nullptr) return;
  queue_deadline_ = 0;
  --attempts_;
  group().stats->queue_left.add();
  queue_link.in->remove(*this);
}

// The server has done with this try, or this try with it.
void Exchange::leave_server(Try& t, bool moved) {
  if (!t.counted) return;
  t.counted = false;
  t.pool->server_stats->ended.add();
  Nanos at = now();
  if (worker_.drains()) {
    Worker::Left how = cut_                   ? Worker::Left::kCut
                       : going_away_ || moved ? Worker::Left::kMoved
                                              : Worker::Left::kFinished;
    worker_.left_server(*t.pool->slot, t.started, how, status_ == 101, grpc_);
  }
  group().balancer.ended(t.candidate, response_began_ > t.started ? response_began_ - t.started : 0, at);
  if (!group().queue) return;
  group().queue->room_freed();
}

}  // namespace albatross
