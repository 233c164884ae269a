// Chooses group and server, waits for room, acquires a connection, forwards.
#include "proxy/exchange/forwarding.h"
#include "healthcheck/circuit.h"
#include "http/grpc.h"
#include "proxy/exchange/stickiness.h"
#include "session/websocket_key.h"

namespace albatross {
namespace {

// A request that must not be repeated takes a connection that was idle for less than this, or a fresh one.
constexpr Nanos kFreshEnough = 2 * kSecond;

}  // namespace

void Forwarding::begin() {
  group_ = nullptr;
  attempts_ = given_back_ = 0;
  wanted_ = nullptr;
  arm_ = nullptr;
  queued_ = set_cookie_ = made_key_ = circuit_trial_ = false;
}

void Forwarding::start(const Route& route, const std::vector<ArmStatsRef>* arms) {
  if (r_.services.overload() >= OverloadLevel::kRefuse) return owner_.answer(internal_error(Cause::kOverload));
  const GroupChoice choice = choose_group(r_.services, route, r_.head);
  set_cookie_ = choice.set_cookie;
  if (arms != nullptr) {
    arm_ = (*arms)[choice.target];
    arm_->of(r_.services.index()).requests.add();
  }
  group_ = r_.services.group(choice.group);
  if (group_ == nullptr) return owner_.answer(internal_error(Cause::kNoServer));
  r_.account.group = group_->settings().slot->name;
  group_->enter();
  r_.body.set_replayable(true);
  const Admission admission = group_->admit();
  circuit_trial_ = admission == Admission::kTrial;
  if (admission == Admission::kNo) return owner_.answer(internal_error(Cause::kCircuitOpen));
  start_try(false);
}

void Forwarding::start_try(bool fresh) {
  ++attempts_;
  try_.begin(fresh || r_.head.upgrade);
  r_.deadlines.one_try = 0;  // it was the deadline of the try before
  r_.phase = Phase::kConnect;
  const int i = group_->others_come_first() ? Balancer::kFull : take_server();
  if (i != Balancer::kFull) return connect();
  if (!group_->enqueue(flow_)) {
    --attempts_;
    return owner_.answer(internal_error(Cause::kOverLimit, "the server group is full, and so is its queue"));
  }
  queued_ = true;
  r_.deadlines.queue = r_.now() + group_->settings().queue.timeout;
  owner_.rearm();
}

// Takes a server that has room, and counts the request there; or returns Balancer::kNone or kFull. A server that was
// tried is taken only if there is no other.
int Forwarding::take_server() {
  const GroupRuntime& g = group_->settings();
  GroupState::Ask ask;
  ask.tried = {tried_.data(), static_cast<std::size_t>(attempts_ - 1)};
  if (attempts_ == 1 && !g.sticky.cookie.empty()) {
    ask.wanted = sticky_server(g, r_.head);
    if (ask.wanted >= 0) wanted_ = g.servers[static_cast<std::size_t>(ask.wanted)].slot.get();
  }
  if (g.balancing.scheduler == Scheduler::kHash) ask.key = server_key(r_.services, g.hash, r_.head, r_.account.client);
  return group_->take(flow_, ask, try_.lease);
}

// Connects to the server that was taken, if there is one.
void Forwarding::connect() {
  if (!try_.lease) {
    group_->stats().no_server.add();
    --attempts_;
    return owner_.answer(internal_error(Cause::kNoServer));
  }
  const ServerSlot& slot = try_.lease.slot();
  tried_[static_cast<std::size_t>(attempts_ - 1)] = &slot;
  r_.account.has_upstream = true;
  r_.account.upstream = r_.arena.copy(slot.address);  // the server may be removed while the answer is being sent
  r_.account.try_began = r_.now();
  // A request that must not be repeated needs a connection that is certainly still open.
  const bool once_only = !is_idempotent(r_.head.method);
  try_.connect(*r_.services.pool, once_only && r_.now() > kFreshEnough ? r_.now() - kFreshEnough : 0);
  if (r_.phase == Phase::kConnect && r_.deadlines.total != 0) owner_.rearm();
}

bool Forwarding::leave_queue() {
  if (take_server() == Balancer::kFull) return false;
  queued_ = false;
  r_.deadlines.queue = 0;
  group_->dequeue(flow_);
  connect();
  return true;
}

void Forwarding::cancel() {
  if (queued_) {
    queued_ = false;
    r_.deadlines.queue = 0;
    --attempts_;
    group_->dequeue(flow_);
  }
  try_.cancel();
}

void Forwarding::on_try_connected(Connection& c) {
  if (!try_.reused()) r_.account.connect_time = try_.connect_time(r_.now());
  if (r_.head.upgrade && !may_tunnel(c)) return;
  try_.open(c, r_.head.method, r_.head.upgrade);
  send_request();
}

// A WebSocket to a server that speaks HTTP/2 needs RFC 8441 on that server. A WebSocket from an HTTP/2 client to an
// HTTP/1.1 server needs a key of ours.
bool Forwarding::may_tunnel(Connection& c) {
  if (c.can().extended_connect) {
    if (c.can().takes_tunnels) return true;
    owner_.answer({Cause::kNotImplemented, Source::kUpstream, RetrySafety::kNever, 0,
                   "the server takes no websockets over HTTP/2"});
    return false;
  }
  if (!r_.client->can().extended_connect || made_key_) return true;
  made_key_ = true;
  char* key = r_.arena.bytes(kWebsocketKeySize);
  write_websocket_key(r_.services.random.next(), r_.services.random.next(), key);
  r_.head.fields.set(HeaderId::kSecWebsocketKey, "Sec-WebSocket-Key", {key, kWebsocketKeySize});
  return true;
}

// Asks the server for a 100 if the client waits for one.
void Forwarding::send_request_head() {
  if (r_.deadlines.grpc != 0) {
    // The server gets the rest of the client's timeout.
    char* text = r_.arena.bytes(kGrpcTimeoutSize);
    std::size_t n = write_grpc_timeout(r_.deadlines.grpc > r_.now() ? r_.deadlines.grpc - r_.now() : 0, text);
    r_.head.fields.set(HeaderId::kGrpcTimeout, "grpc-timeout", {text, n});
  }
  Head out = r_.head;
  out.keep_alive = true;
  if (out.expect_continue && !r_.down->in_done() && r_.body.received() == 0) {
    out.fields = Fields(r_.arena);
    for (const Field& f : r_.head.fields) {
      if (!f.removed) out.fields.add(f.id, f.name(), f.value());
    }
    out.fields.add(HeaderId::kExpect, "Expect", "100-continue");
  }
  try_.stream()->send_head(out, out.body.empty() && !out.upgrade);
}

void Forwarding::send_request() {
  r_.phase = Phase::kForward;
  send_request_head();
  Stream& server = *try_.stream();
  server.set_send_timeout(r_.timeouts().send);
  if (!r_.head.upgrade) r_.body.send_kept(server);
  if (r_.head.body.empty()) {
    r_.body.mark_end_sent();
  } else if (r_.body.whole()) {
    r_.body.send_end(server);
  }
  // Over HTTP/2 a server can say that it has not touched a request (GOAWAY, REFUSED_STREAM), whatever the method.
  const bool again = is_idempotent(r_.head.method) && (try_.reused() || group_->settings().retries.after_answer());
  if (!again && !server.connection().can().tells_untouched) r_.body.set_replayable(false);
  owner_.set_deadlines();
}

void Forwarding::on_request_sent(std::size_t bytes) {
  if (r_.head.upgrade) {
    r_.body.pump().sent(bytes);  // the body holds early bytes of the tunnel
  } else {
    r_.body.sent(bytes);
    if (r_.down != nullptr && !r_.down->owes()) r_.deadlines.let_body_go(r_.now());
  }
  if (r_.phase != Phase::kForward) return;
  if (r_.grpc) {
    r_.deadlines.response = r_.now() + response_gap();
  } else if (!r_.body.whole()) {
    r_.deadlines.body = r_.now() + r_.timeouts().request_body;
  }
}

}  // namespace albatross
