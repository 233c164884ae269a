// Choose group and server, wait for room, acquire a connection, forward.
#include "healthcheck/circuit.h"
#include "http/grpc.h"
#include "proxy/exchange/choice.h"
#include "proxy/exchange/exchange.h"
#include "proxy/upstream/group.h"
#include "session/websocket_key.h"

namespace albatross {

void Exchange::forward() {
  if (services_.overload() >= OverloadLevel::kRefuse) return answer(internal_error(Cause::kOverload));
  const GroupChoice choice = choose_group(services_, *route_, head_);
  set_cookie_ = choice.set_cookie;
  group_ = &services_.group(choice.group);
  account_.group = group().settings().name;
  group().enter();
  body_.set_replayable(true);
  const Admission admission = group().admit();
  circuit_trial_ = admission == Admission::kTrial;
  if (admission == Admission::kNo) return answer(internal_error(Cause::kCircuitOpen));
  start_try(false);
}

void Exchange::start_try(bool fresh) {
  ++attempts_;
  try_.begin(fresh || head_.upgrade);
  deadlines_.one_try = 0;  // that of the try before
  phase_ = Phase::kConnect;
  const int i = group().others_come_first() ? Balancer::kFull : take_server();
  if (i != Balancer::kFull) return connect();
  if (!group().enqueue(*this)) {
    --attempts_;
    return answer(internal_error(Cause::kOverLimit, "the server group is full, and so is its queue"));
  }
  queued_ = true;
  deadlines_.queue = now() + group().settings().queue.timeout;
  arm(deadlines_.first());
}

// One that takes the request now, and has it counted; or Balancer::kNone or kFull. Not one already tried, unless there is no
// other.
int Exchange::take_server() {
  const GroupRuntime& g = group().settings();
  GroupState::Ask ask;
  ask.tried = {tried_.data(), static_cast<std::size_t>(attempts_ - 1)};
  if (attempts_ == 1 && !g.sticky.cookie.empty()) {
    ask.wanted = sticky_server(g, head_);
    if (ask.wanted >= 0) wanted_ = g.servers[static_cast<std::size_t>(ask.wanted)].slot.get();
  }
  if (g.balancing.scheduler == Scheduler::kHash) ask.key = server_key(services_, g.hash, head_, account_.client);
  return group().take(*this, ask, try_.lease);
}

// On the server that was taken, if there is one.
void Exchange::connect() {
  if (!try_.lease) {
    group().stats().no_server.add();
    --attempts_;
    return answer(internal_error(Cause::kNoServer));
  }
  const ServerSlot& slot = try_.lease.slot();
  tried_[static_cast<std::size_t>(attempts_ - 1)] = &slot;
  account_.has_upstream = true;
  account_.upstream = slot.address;
  account_.try_began = now();
  // Only what certainly still lives may carry what cannot be repeated.
  const bool once_only = !is_idempotent(head_.method);
  try_.connect(*services_.pool, once_only && now() > kFreshEnough ? now() - kFreshEnough : 0);
  if (phase_ == Phase::kConnect && deadlines_.total != 0) arm(deadlines_.total);
}

bool Exchange::leave_queue() {
  if (take_server() == Balancer::kFull) return false;
  queued_ = false;
  deadlines_.queue = 0;
  group().dequeue(*this);
  connect();
  return true;
}

// Whatever the request waits for or runs on; it will not be forwarded any more.
void Exchange::cancel_try() {
  to_client_.detach();
  if (queued_) {
    queued_ = false;
    deadlines_.queue = 0;
    --attempts_;
    group().dequeue(*this);
  }
  try_.cancel();
}

void Exchange::on_try_connected(Connection& c) {
  if (!try_.reused()) account_.connect_time = try_.connect_time(now());
  if (head_.upgrade && !may_tunnel(c)) return;
  try_.open(c, head_.method, head_.upgrade);
  send_request();
}

// A websocket towards a server that speaks HTTP/2 needs RFC 8441 there. From a client that does, one towards HTTP/1.1
// needs a key.
bool Exchange::may_tunnel(Connection& c) {
  if (c.can().extended_connect) {
    if (c.can().takes_tunnels) return true;
    answer({Cause::kNotImplemented, Source::kUpstream, RetrySafety::kNever, 0,
            "the server takes no websockets over HTTP/2"});
    return false;
  }
  if (!client_->can().extended_connect || made_key_) return true;
  made_key_ = true;
  char* key = arena_.bytes(kWebsocketKeySize);
  write_websocket_key(services_.random.next(), services_.random.next(), key);
  head_.fields.set(HeaderId::kSecWebsocketKey, "Sec-WebSocket-Key", {key, kWebsocketKeySize});
  return true;
}

void Exchange::send_request() {
  phase_ = Phase::kForward;
  if (deadlines_.grpc != 0) {
    // The server gets what is left of the client's patience.
    char* text = arena_.bytes(kGrpcTimeoutSize);
    std::size_t n = write_grpc_timeout(deadlines_.grpc > now() ? deadlines_.grpc - now() : 0, text);
    head_.fields.set(HeaderId::kGrpcTimeout, "grpc-timeout", {text, n});
  }
  Head out = head_;
  out.keep_alive = true;
  if (head_.expect_continue && !down_->in_done() && body_.received() == 0) {
    out.fields = Fields(arena_);
    for (const Field& f : head_.fields) {
      if (!f.removed) out.fields.add(f.id, f.name(), f.value());
    }
    out.fields.add(HeaderId::kExpect, "expect", "100-continue");
  }
  Stream& server = *try_.stream();
  const bool bodyless = out.body.kind == BodyLength::Kind::kNone ||
                        (out.body.kind == BodyLength::Kind::kLength && out.body.length == 0);
  server.send_head(out, bodyless && !head_.upgrade);
  if (!head_.upgrade) body_.send_kept(server);
  if (bodyless) {
    body_.mark_end_sent();
  } else if (body_.whole()) {
    body_.send_end(server);
  }
  // Over HTTP/2 a server can say that it has not touched a request (GOAWAY, REFUSED_STREAM), whatever the method.
  const bool again =
      is_idempotent(head_.method) && (try_.reused() || group().settings().retries.after_answer());
  if (!again && !server.connection().can().tells_untouched) body_.set_replayable(false);
  set_deadlines();
}

void Exchange::on_request_sent(std::size_t bytes) {
  if (head_.upgrade) {
    body_.pump().sent(bytes);  // what is kept are the tunnel's early bytes
  } else {
    body_.sent(bytes);
  }
  if (phase_ != Phase::kForward) return;
  if (grpc_) {
    deadlines_.response = now() + response_gap();
  } else if (!body_.whole()) {
    deadlines_.body = now() + timeouts().request_body;
  }
}

}  // namespace albatross
