// Deadlines: which are set when, and what happens when one has passed.
#include "proxy/exchange/exchange.h"
#include "proxy/upstream/group.h"

namespace albatross {

void Exchange::arm(Nanos deadline) {
  if (deadline != ~Nanos{0}) services_.loop.set_timer(timer_, deadline);
}

// Of the route, or the group's if that is shorter.
Nanos Exchange::response_gap() const {
  const Nanos of_route = timeouts().response, of_group = group().settings().response_timeout;
  return of_group != 0 ? std::min(of_route, of_group) : of_route;
}

void Exchange::set_deadlines() {
  const Nanos at = now();
  if (phase_ == Phase::kForward && !body_.whole() && !grpc_) {
    deadlines_.body_moves(at, timeouts().request_body);
    deadlines_.response = 0;
  } else {
    deadlines_.response = at + response_gap();
    if (phase_ == Phase::kForward && !grpc_) deadlines_.limit_tries(at, group().settings().retries.per_try);
  }
  arm(deadlines_.first());
}

void Exchange::on_timer() {
  const Nanos at = now();
  if (phase_ == Phase::kTunnel) {
    account_.ended_by(Cause::kTunnelTimeout);
    tunnel_.send_going_away(down_, try_.stream(), arena_);
    return end_tunnel();
  }
  if (phase_ == Phase::kAnswered || phase_ == Phase::kOver || late(at)) return;
  arm(deadlines_.first());
}

// True if a deadline has ended the exchange or its try. A peer is only late when it is its turn.
bool Exchange::late(Nanos at) {
  Deadlines& d = deadlines_;
  auto fail = [this](const Error& error) {
    answer(error);
    return true;
  };
  const Error no_answer = upstream_error(Cause::kResponseTimeout, RetrySafety::kNever);
  if (Deadlines::due(d.total, at)) return fail(internal_error(Cause::kTotalTimeout));
  if (Deadlines::due(d.queue, at)) {
    group().stats().queue_timeouts.add();
    return fail(internal_error(Cause::kQueueTimeout));
  }
  if (Deadlines::due(d.one_try, at)) {
    d.one_try = 0;
    if (!may_ask_another(0)) return fail(no_answer);
    ask_another();
    return true;
  }
  if (Deadlines::due(d.body, at)) {
    // Not while the server takes nothing.
    if (try_.stream() != nullptr && down_->waiting_for_peer()) return fail(downstream_error(Cause::kBodyTimeout));
    d.body = at + timeouts().request_body;
  }
  const bool receives = !body_.whole() && phase_ != Phase::kRespond;
  if (receives && down_->waiting_for_peer() && d.body_too_slow(at, timeouts().request_body, body_.received())) {
    return fail(downstream_error(Cause::kBodyTimeout));
  }
  if (Deadlines::due(d.response, at)) {
    const Stream* server = try_.stream();
    if (phase_ != Phase::kRespond || server == nullptr || server->waiting_for_peer()) return fail(no_answer);
    d.response = at + response_gap();
  }
  return false;
}

}  // namespace albatross
