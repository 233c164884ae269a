// A try fails: another one, or an answer of our own.
#include "proxy/exchange/exchange.h"
#include "proxy/upstream/group.h"

namespace albatross {

// What the try says about its server's health, and its group's.
void Exchange::judge(bool failed) {
  if (!try_.lease) return;
  try_.lease.judge(failed, circuit_trial_);
  circuit_trial_ = false;
}

// Is there another try to have, with the whole request at hand?
bool Exchange::has_another_try() const {
  if (account_.status != 0 || phase_ == Phase::kRespond || phase_ == Phase::kAnswered || phase_ == Phase::kOver) {
    return false;
  }
  return attempts_ < kMaxTries && attempts_ - given_back_ < group().settings().retries.tries && body_.complete();
}

bool Exchange::may_retry(const Error& error) {
  const RetryPolicy& policy = group().settings().retries;
  // What a server gave back unread, as its connection ends, does not count as a try.
  const bool given_back = error.retry == RetrySafety::kSafe && try_.connected();
  if (given_back && policy.tries > 1) ++given_back_;
  if (!has_another_try()) return false;
  switch (error.retry) {
    case RetrySafety::kSafe:
      // Where no work was done, none is doubled: the budget is for the rest.
      if (!given_back && !policy.on_connect) return false;
      group().stats().retries.add();
      return true;
    case RetrySafety::kRefused: return policy.on_connect && group().take_retry_token();
    case RetrySafety::kOnlyIfReused:
      return policy.on_reset && try_.reused() && is_idempotent(head_.method) && group().take_retry_token();
    case RetrySafety::kNever: break;
  }
  return false;
}

// After an answer, or (0) after none in time for one try. An idempotent request may be executed twice: RFC 9110 §9.2.2.
bool Exchange::may_ask_another(std::uint16_t status) {
  const RetryPolicy& policy = group().settings().retries;
  if (!is_idempotent(head_.method) || head_.upgrade || !has_another_try()) return false;
  if (status == 0) return policy.on_timeout && group().take_retry_token();
  for (auto [low, high] : policy.codes) {
    if (status >= low && status <= high) return group().take_retry_token();
  }
  return false;
}

void Exchange::ask_another() {
  judge(true);
  try_.cancel();
  body_.new_try();
  try_.lease.release(Left::kMoved);
  start_try(false);
}

void Exchange::on_try_failed(const Error& error) {
  if (phase_ == Phase::kOver) return;
  if (phase_ == Phase::kTunnel) return end_tunnel(error.cause == Cause::kNone);
  if (phase_ == Phase::kAnswered) return try_.lease.release(left());
  if (!try_.connected()) account_.connect_time = try_.connect_time(now());
  // What it gave back as its connection ended says nothing about the server.
  const bool given_back = try_.connected() && error.retry == RetrySafety::kSafe;
  if (error.source == Source::kUpstream && !given_back) judge(true);
  if (may_retry(error)) {
    body_.new_try();
    try_.lease.release(Left::kMoved);
    return start_try(true);
  }
  try_.lease.release(left());
  answer(error);
}

}  // namespace albatross
