// Decides on another try when one fails or its answer is not accepted, and ends forwarding.
#include <algorithm>
#include <cstring>

#include "healthcheck/circuit.h"
#include "proxy/exchange/forwarding.h"
#include "proxy/exchange/stickiness.h"

namespace albatross {

void Forwarding::judge(bool failed) {
  if (!try_.lease) return;
  try_.lease.judge(failed, circuit_trial_);
  circuit_trial_ = false;
}

// Whether another try is left and everything that has come of the request is kept.
bool Forwarding::has_another_try() const {
  if (r_.account.status != 0 || r_.phase == Phase::kRespond || r_.phase == Phase::kAnswered ||
      r_.phase == Phase::kOver) {
    return false;
  }
  return attempts_ < kMaxTries && attempts_ - given_back_ < group_->settings().retries.tries && r_.body.complete();
}

bool Forwarding::may_retry(const Error& error) {
  const RetryPolicy& policy = group_->settings().retries;
  // A request that a server gave back unread, because its connection ends, does not count as a try.
  const bool given_back = error.retry == RetrySafety::kSafe && try_.connected();
  if (given_back && policy.tries > 1) ++given_back_;
  if (!has_another_try()) return false;
  switch (error.retry) {
    case RetrySafety::kSafe:
      // The server has done no work, so the retry adds no load and needs no token of the budget.
      if (!given_back && !policy.on_connect) return false;
      group_->stats().retries.add();
      return true;
    case RetrySafety::kRefused: return policy.on_connect && group_->take_retry_token();
    case RetrySafety::kOnlyIfReused:
      if (!policy.on_reset || !try_.reused() || !is_idempotent(r_.head.method)) return false;
      group_->stats().retries.add();
      return true;
    case RetrySafety::kNever: break;
  }
  return false;
}

// An idempotent request may be executed twice: RFC 9110 §9.2.2.
bool Forwarding::may_ask_another(std::uint16_t status) {
  const RetryPolicy& policy = group_->settings().retries;
  if (!is_idempotent(r_.head.method) || r_.head.upgrade || !has_another_try()) return false;
  if (status == 0) return policy.on_timeout && group_->take_retry_token();
  for (auto [low, high] : policy.codes) {
    if (status >= low && status <= high) return group_->take_retry_token();
  }
  return false;
}

void Forwarding::ask_another() {
  judge(true);
  try_.cancel();
  r_.body.new_try();
  try_.lease.release(Flow::Left::kMoved);
  start_try(false);
}

void Forwarding::on_try_failed(const Error& error) {
  if (r_.phase == Phase::kOver) return;
  if (r_.phase == Phase::kTunnel) return owner_.end_tunnel(error.cause == Cause::kNone);
  if (r_.phase == Phase::kAnswered) return try_.lease.release(flow_.left());
  if (!try_.connected()) r_.account.connect_time = try_.connect_time(r_.now());
  // A kept connection that ends while it is taken, and a request that was given back unread, say nothing about the
  // server's health.
  const bool kept_ended = try_.reused() && error.retry == RetrySafety::kOnlyIfReused;
  const bool given_back = try_.connected() && error.retry == RetrySafety::kSafe;
  if (error.source == Source::kUpstream && !given_back && !kept_ended) {
    judge(true);
    tell_of(error);
  }
  if (may_retry(error)) {
    r_.account.try_failed(info(error.cause).name, r_.arena);
    r_.body.new_try();
    try_.lease.release(Flow::Left::kMoved);
    return start_try(true);
  }
  try_.lease.release(flow_.left());
  owner_.answer(error);
}

// Events are limited by cause: a server that is down would fill the event log.
void Forwarding::tell_of(const Error& error) {
  EventLimit& limit = r_.services.failures[static_cast<std::size_t>(error.cause)];
  if (!limit.pass(r_.now())) return;
  std::string what(info(error.cause).detail);
  const char* more = error.detail != nullptr ? error.detail
                     : error.system != 0     ? strerrordesc_np(error.system)
                                             : nullptr;
  if (more != nullptr) what += std::string(": ") + more;
  r_.services.event(Level::kWarning, "server " + std::string(r_.account.group) + "/" +
                                         std::string(r_.account.upstream) + ": " + what + limit.held());
}

// ---- the answer, and the end ----

void Forwarding::respond(const Route& route, Head& head) {
  try_.lease.answered(head.status);
  const GroupRuntime& g = group_->settings();
  const int candidate = try_.lease.server().candidate;
  if (arm_ != nullptr && head.status >= 500) count_outcome();  // a rollout should not wait for the body of an error
  if (set_cookie_) add_group_cookie(route, g.name, r_.secure(), r_.arena, head);
  if (!g.sticky.cookie.empty() && candidate >= 0 && &try_.lease.slot() != wanted_) {
    add_server_cookie(g, candidate, r_.secure(), r_.arena, head);
  }
}

void Forwarding::respond_whole(Flow::Left how) {
  try_.lease.release(how);
  try_.finish();
}

void Forwarding::finish(Flow::Left how) {
  try_.lease.release(how);
  r_.account.attempts = static_cast<std::uint8_t>(attempts_);
  if (arm_ != nullptr) count_outcome();
  if (group_ == nullptr) return;
  if (circuit_trial_) abandon_trial(*group_->settings().slot);
  group_->leave();
  if (r_.grpc) group_->stats().grpc[grpc_status_index(r_.account.grpc_status)].add();
}

void Forwarding::count_outcome() {
  const Account& a = r_.account;
  ArmStats& arm = std::exchange(arm_, nullptr)->of(r_.services.index());
  switch (outcome(a, r_.grpc)) {
    case Outcome::kNone: return arm.withdrawn.add();
    case Outcome::kFailed: arm.failures.add(); break;
    case Outcome::kGood: break;
  }
  // Without a head the time until now is the least that it would have taken. A new group's connections are cold, which
  // is no fault of its version.
  const Nanos took = (a.head_came != 0 ? a.head_came : r_.now()) - a.began;
  arm.head_times[ArmStats::bucket_of(took - std::min(took, a.connect_time))].add();
}

Nanos Forwarding::response_gap() const {
  const Nanos of_route = r_.timeouts().response, of_group = group_->settings().response_timeout;
  return of_group != 0 ? std::min(of_route, of_group) : of_route;
}

}  // namespace albatross
