// Acquire a connection, forward, retry. Which group and server: exchange_choose.cc.
#include "http/grpc.h"
#include "proxy/exchange/exchange.h"
#include "proxy/upstream/group_queue.h"
#include "proxy/worker.h"

namespace albatross {

void Exchange::Try::cancel() {
  if (opening != nullptr) {
    Connection* c = opening;
    opening = nullptr;
    x->worker_.pool().cancel(*c, *this);
  } else if (stream != nullptr) {
    Stream* s = stream;
    stream = nullptr;
    s->reset();
  }
}

void Exchange::cancel_tries() {
  to_client_.detach();
  forget_queue();
  for (int i = 0; i < attempts_; ++i) tries_[static_cast<std::size_t>(i)].cancel();
}

void Exchange::forward() {
  if (worker_.overload() >= OverloadLevel::kRefuse) {
    return answer(internal_error(Cause::kOverload));
  }
  group_ = static_cast<int>(choose_group(*route_));
  GroupState& g = group();
  in_group_ = true;
  ++g.active;
  g.stats->in_flight_started.add();
  replayable_ = true;
  if (admitted_by_circuit()) start_try(false);
}

void Exchange::start_try(bool fresh) {
  ++attempts_;
  Try& t = primary();
  t.opening = nullptr;
  t.stream = nullptr;
  t.pool = nullptr;
  t.candidate = Balancer::kNone;
  t.reused = t.counted = false;
  t.fresh = fresh || head_.upgrade;
  t.started = now();
  t.connected = 0;
  try_deadline_ = 0;  // that of the try before
  phase_ = Phase::kConnect;
  GroupState& g = group();
  int i = g.queue && g.queue->others_come_first() ? Balancer::kFull : take_server();
  if (i == Balancer::kFull) return wait_for_room();
  connect_to(i);
}

// `i`: what Balancer::take() has given, and it was not kFull.
void Exchange::connect_to(int i) {
  if (i < 0) {
    group().stats->no_server.add();
    --attempts_;
    return answer(internal_error(Cause::kNoServer));
  }
  Try& t = primary();
  t.candidate = i;
  t.pool = group().pools[static_cast<std::size_t>(i)];
  t.counted = true;
  t.started = now();
  t.pool->server_stats->started.add();
  upstream_text_ = t.pool->slot->address;
  // Only what certainly still lives may carry what cannot be repeated.
  bool once_only = !is_idempotent(head_.method);
  Nanos since = once_only && t.started > kFreshEnough ? t.started - kFreshEnough : 0;
  Result<Connection*> s = worker_.pool().acquire(*t.pool, t, t.fresh, since);
  if (!s) return try_failed(t, s.error());
  if ((*s)->opening()) {
    t.opening = *s;
    if (total_deadline_ != 0) arm(total_deadline_);
    return;
  }
  t.reused = true;
  try_connected(t, **s);
}

void Exchange::try_connected(Try& t, Connection& c) {
  t.opening = nullptr;
  t.connected = now();
  if (!t.reused) connect_time_ = t.connected - t.started;
  if (head_.upgrade && !may_tunnel(c)) return;
  t.stream = &c.open_stream(t, head_.method, head_.upgrade);
  send_request(t);
}

// A websocket towards a server that speaks HTTP/2 needs RFC 8441 there. From a client that does, one towards HTTP/1.1
// needs a key.
bool Exchange::may_tunnel(Connection& c) {
  if (c.can().extended_connect) {
    if (c.can().takes_tunnels) return true;
    answer(Error{Cause::kNotImplemented, Source::kUpstream, RetrySafety::kNever, 0,
                 "the server takes no websockets over HTTP/2"});
    return false;
  }
  if (!client_connection_->can().extended_connect || made_key_) return true;
  made_key_ = true;
  char* key = arena_.bytes(kWebsocketKeySize);
  write_websocket_key(worker_.random().next(), worker_.random().next(), key);
  head_.fields.set(HeaderId::kSecWebsocketKey, "Sec-WebSocket-Key", {key, kWebsocketKeySize});
  return true;
}

// The server gets what is left of the client's patience.
void Exchange::pass_grpc_timeout() {
  char* text = arena_.bytes(kGrpcTimeoutSize);
  std::size_t n = write_grpc_timeout(grpc_deadline_ > now() ? grpc_deadline_ - now() : 0, text);
  head_.fields.set(HeaderId::kGrpcTimeout, "grpc-timeout", {text, n});
}

void Exchange::send_request(Try& t) {
  phase_ = Phase::kForward;
  if (grpc_deadline_ != 0) pass_grpc_timeout();
  Head out = head_;
  out.keep_alive = true;
  if (head_.expect_continue && !down_->in_done() && body_received_ == 0) {
    out.fields = Fields(arena_);
    for (const Field& f : head_.fields) {
      if (!f.removed) out.fields.add(f.id, f.name(), f.value());
    }
    out.fields.add(HeaderId::kExpect, "expect", "100-continue");
  }
  bool bodyless =
      out.body.kind == BodyLength::Kind::kNone || (out.body.kind == BodyLength::Kind::kLength && out.body.length == 0);
  t.stream->send_head(out, bodyless && !head_.upgrade);
  if (!replay_.empty() && !head_.upgrade) {
    replay_.each([&t](std::string_view piece) { t.stream->send_data(piece); });
  }
  if (bodyless) {
    sent_end_ = true;
  } else if (request_done_) {
    sent_end_ = true;
    t.stream->send_end(has_trailers_ ? &trailers_ : nullptr);
  }
  // Over HTTP/2 a server can say that it has not touched a request (GOAWAY, REFUSED_STREAM), whatever the method.
  bool again = is_idempotent(head_.method) && (t.reused || group().group->retries.after_answer());
  if (!again && !t.stream->connection().can().tells_untouched) replayable_ = false;
  set_deadlines();
}

// ---- the request's body ----

void Exchange::on_data(Stream& s, std::string_view data) {
  body_received_ += data.size();
  if (phase_ == Phase::kTunnel) {
    arm(now() + route_->settings->timeouts.tunnel);
    if (primary().stream != nullptr) tunnel_data(*primary().stream, from_client_frames_, to_server_, data);
    return;
  }
  if (phase_ == Phase::kAnswered || phase_ == Phase::kOver) return;  // dropped; the connection closes after the answer
  if (head_.upgrade) {
    replay_.append(data);  // early bytes of a tunnel: the window bounds them, and they go when it is there
    return;
  }
  body_progress(data.size());
  if (route_ != nullptr && body_received_ > route_->settings->body_limit) {
    return answer(downstream_error(Cause::kBodyTooLarge));
  }
  if (phase_ == Phase::kConnect) {
    keep_for_replay(data);
    if (replay_.size() < kReplay) s.consume(data.size());
    return;
  }
  Try& t = primary();
  if (t.stream == nullptr) return s.consume(data.size());
  if (replayable_) keep_for_replay(data);
  if (phase_ == Phase::kRespond || grpc_) response_deadline_ = now() + response_gap();
  to_server_.data(*t.stream, data);
}

void Exchange::keep_for_replay(std::string_view data) {
  if (phase_ != Phase::kConnect && replay_.size() + data.size() > kReplay) {
    replayable_ = false;
    return;
  }
  replay_.append(data);
}

void Exchange::on_end(Stream&, Fields* trailers) {
  request_done_ = true;
  if (phase_ == Phase::kTunnel) {
    if (primary().stream != nullptr) primary().stream->send_end(nullptr);
    return;
  }
  if (trailers != nullptr) {
    trailers_ = *trailers;
    has_trailers_ = true;
  }
  if ((phase_ == Phase::kForward || phase_ == Phase::kRespond) && primary().stream != nullptr && !sent_end_) {
    sent_end_ = true;
    primary().stream->send_end(has_trailers_ ? &trailers_ : nullptr);
  }
  body_deadline_ = 0;
  if (phase_ == Phase::kForward) set_deadlines();
}

void Exchange::request_sent(std::size_t bytes) {
  if (!replay_.empty() && !replayable_ && !head_.upgrade) replay_.clear();
  to_server_.sent(bytes);
  if (grpc_ && phase_ == Phase::kForward) response_deadline_ = now() + response_gap();
  if (phase_ == Phase::kForward && !request_done_ && !grpc_)
    body_deadline_ = now() + route_->settings->timeouts.request_body;
}

// ---- failure and the second try ----

// Is there another try to have, with the whole request at hand?
bool Exchange::has_another_try() const {
  if (status_ != 0 || phase_ == Phase::kRespond || phase_ == Phase::kAnswered || phase_ == Phase::kOver) return false;
  return attempts_ < kMaxTries && attempts_ - given_back_ < group().group->retries.tries &&
         replay_.size() == body_received_;
}

bool Exchange::may_retry(const Try& t, const Error& error) {
  const RetryPolicy& policy = group().group->retries;
  // What a server gave back unread, as its connection ends, does not count as a try.
  const bool given_back = error.retry == RetrySafety::kSafe && t.connected != 0;
  if (given_back && policy.tries > 1) ++given_back_;
  if (!has_another_try()) return false;
  switch (error.retry) {
    case RetrySafety::kSafe:
      // Where no work was done, none is doubled: the budget is for the rest.
      if (!given_back && !policy.on_connect) return false;
      group().stats->retries.add();
      return true;
    case RetrySafety::kRefused: return policy.on_connect && take_retry_token();
    case RetrySafety::kOnlyIfReused:
      return policy.on_reset && t.reused && is_idempotent(head_.method) && take_retry_token();
    case RetrySafety::kNever: break;
  }
  return false;
}

// An idempotent request may be executed twice: RFC 9110 §9.2.2.
bool Exchange::may_ask_another(std::uint16_t status) {
  const RetryPolicy& policy = group().group->retries;
  if (!is_idempotent(head_.method) || head_.upgrade || !has_another_try()) return false;
  if (status == 0) return policy.on_timeout && take_retry_token();
  for (auto [low, high] : policy.codes) {
    if (status >= low && status <= high) return take_retry_token();
  }
  return false;
}

void Exchange::ask_another(Try& t) {
  judge(t, true);
  t.cancel();
  sent_end_ = false;
  leave_server(t, true);
  start_try(false);
}

// A share of the active requests, at least 10 a second (PRODUCT §2), per group and worker.
bool Exchange::take_retry_token() {
  GroupState& g = group();
  Nanos at = now();
  double cap = std::max(10.0, g.group->retries.budget * g.active);
  g.retry_tokens = std::min(cap, g.retry_tokens + static_cast<double>(at - g.tokens_at) / 1e9 * cap);
  g.tokens_at = at;
  if (g.retry_tokens < 1) {
    g.stats->retries_over_budget.add();
    return false;
  }
  g.retry_tokens -= 1;
  g.stats->retries.add();
  return true;
}

void Exchange::try_failed(Try& t, const Error& error) {
  if (&t != &primary() || phase_ == Phase::kOver) return;
  t.stream = nullptr;
  t.opening = nullptr;
  if (phase_ == Phase::kTunnel) return end_tunnel(error.cause == Cause::kNone);
  if (phase_ == Phase::kAnswered) return leave_server(t);
  if (t.connected == 0) connect_time_ = now() - t.started;
  // What it gave back as its connection ended says nothing about the server.
  if (error.source == Source::kUpstream && (t.connected == 0 || error.retry != RetrySafety::kSafe)) judge(t, true);
  if (may_retry(t, error)) {
    sent_end_ = false;
    leave_server(t, true);
    return start_try(true);
  }
  leave_server(t);
  answer(error);
}

}  // namespace albatross
