// Deadlines: when each is set, and what happens when one has passed.
#include "proxy/exchange/exchange.h"

namespace albatross {

void Exchange::rearm() {
  const Nanos first = r_.deadlines.first();
  if (first != ~Nanos{0}) r_.services.loop.set_timer(timer_, first);
}

void Exchange::set_deadlines() {
  const Nanos at = r_.now();
  if (r_.phase == Phase::kForward && !r_.body.whole() && !r_.grpc) {
    r_.deadlines.body_moves(at, r_.timeouts().request_body);
    r_.deadlines.response = 0;
  } else {
    r_.deadlines.response = at + server_.response_gap();
    if (r_.phase == Phase::kForward && !r_.grpc) r_.deadlines.limit_tries(at, server_.per_try());
  }
  rearm();
}

void Exchange::on_timer() {
  if (r_.phase == Phase::kTunnel) {
    r_.account.ended_by(Cause::kTunnelTimeout);
    tunnel_.send_going_away(r_.down, server_.stream(), r_.arena);
    return end_tunnel(true);
  }
  if (r_.phase == Phase::kAnswered || r_.phase == Phase::kOver || late(r_.now())) return;
  rearm();
}

// True if a deadline has ended the exchange or its try. A peer is late only if it is its turn to send.
bool Exchange::late(Nanos at) {
  Deadlines& d = r_.deadlines;
  auto fail = [this](const Error& error) {
    answer(error);
    return true;
  };
  const Error no_answer = upstream_error(Cause::kResponseTimeout, RetrySafety::kNever);
  if (Deadlines::due(d.total, at)) return fail(internal_error(Cause::kTotalTimeout));
  if (Deadlines::due(d.queue, at)) {
    server_.group()->stats().queue_timeouts.add();
    return fail(internal_error(Cause::kQueueTimeout));
  }
  if (Deadlines::due(d.one_try, at)) {
    d.one_try = 0;
    if (!server_.may_ask_another(0)) return fail(no_answer);
    r_.account.try_failed("per_try_timeout", r_.arena);
    server_.ask_another();
    return true;
  }
  if (Deadlines::due(d.body, at)) {
    // The client is not late while the server takes nothing.
    if (server_.stream() != nullptr && r_.down->waiting_for_peer()) return fail(downstream_error(Cause::kBodyTimeout));
    d.body = at + r_.timeouts().request_body;
  }
  const bool receives = !r_.body.whole() && r_.phase != Phase::kRespond;
  if (receives && r_.down->waiting_for_peer() &&
      d.body_too_slow(at, r_.timeouts().request_body, r_.settings->body_rate, r_.body.received())) {
    return fail(downstream_error(Cause::kBodyTimeout));
  }
  if (Deadlines::due(d.response, at)) {
    const Stream* server = server_.stream();
    if (r_.phase != Phase::kRespond || server == nullptr || server->waiting_for_peer()) return fail(no_answer);
    d.response = at + server_.response_gap();
  }
  return false;
}

}  // namespace albatross
