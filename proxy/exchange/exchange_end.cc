// How an exchange ends: deadlines, tunnels, the log line.
#include <algorithm>
#include <charconv>

#include "proxy/exchange/exchange.h"
#include "proxy/worker.h"
#include "tls/tls_info.h"

namespace albatross {
namespace {

constexpr std::uint64_t kMinBytesPerSecond = 240;

std::size_t grpc_status_index(std::string_view text) {
  std::size_t n = kGrpcStatuses;
  bool number = std::from_chars(text.data(), text.data() + text.size(), n).ptr == text.data() + text.size();
  return number && !text.empty() && n < kGrpcStatuses - 1 ? n : kGrpcStatuses - 1;
}

std::string_view version_text(Version v) {
  return v == Version::kHttp10 ? "HTTP/1.0" : v == Version::kHttp11 ? "HTTP/1.1" : "HTTP/2.0";
}

}  // namespace

// ---- deadlines ----

void Exchange::arm(Nanos deadline) { worker_.context().loop().set_timer(timer_, deadline); }

void Exchange::set_deadlines() {
  Nanos at = now();
  if (phase_ == Phase::kForward && !request_done_ && !grpc_) {
    if (body_began_ == 0) body_began_ = at;
    body_deadline_ = at + route_->settings->timeouts.request_body;
    response_deadline_ = 0;
  } else {
    response_deadline_ = at + response_gap();
    if (phase_ == Phase::kForward && !grpc_) limit_tries(at);
  }
  arm_first();
}

// One deadline over all tries, and perhaps one for each.
void Exchange::limit_tries(Nanos at) {
  if (answer_by_ == 0) answer_by_ = response_deadline_;
  response_deadline_ = answer_by_;
  if (Nanos patience = group().group->retries.per_try; patience != 0) try_deadline_ = at + patience;
}

// Of the route, or the group's if that is shorter.
Nanos Exchange::response_gap() const {
  Nanos of_route = route_->settings->timeouts.response;
  Nanos of_group = snapshot_->groups[static_cast<std::size_t>(group_)].group->response_timeout;
  return of_group != 0 ? std::min(of_route, of_group) : of_route;
}

void Exchange::arm_first() {
  Nanos first = ~Nanos{0};
  for (Nanos d : {body_deadline_, response_deadline_, total_deadline_, try_deadline_, queue_deadline_}) {
    if (d != 0) first = std::min(first, d);
  }
  if (first != ~Nanos{0}) arm(first);
}

void Exchange::body_progress(std::size_t) {
  if (phase_ == Phase::kRespond || grpc_) return;
  if (body_began_ == 0) body_began_ = now();
  body_deadline_ = now() + route_->settings->timeouts.request_body;
}

void Exchange::on_timer() {
  Nanos at = now();
  if (phase_ == Phase::kTunnel) {
    if (termination_ == Cause::kNone) termination_ = Cause::kTunnelTimeout;
    send_going_away();
    end_tunnel();
    return;
  }
  if (phase_ == Phase::kAnswered || phase_ == Phase::kOver) return;
  auto fail = [this](Cause cause, Source source) {
    answer(Error{cause, source, RetrySafety::kNever, 0, nullptr});
  };
  if (total_deadline_ != 0 && at >= total_deadline_) return fail(Cause::kTotalTimeout, Source::kInternal);
  if (queue_deadline_ != 0 && at >= queue_deadline_) {
    group().stats->queue_timeouts.add();
    return fail(Cause::kQueueTimeout, Source::kInternal);
  }
  if (try_deadline_ != 0 && at >= try_deadline_) {
    try_deadline_ = 0;
    if (!may_ask_another(0)) return fail(Cause::kResponseTimeout, Source::kUpstream);
    ask_another(primary());
    return;
  }
  if (body_deadline_ != 0 && at >= body_deadline_) {
    // The client is only late when it is its turn: not while the server takes nothing.
    if (primary().stream == nullptr || !down_->waiting_for_peer()) {
      body_deadline_ = at + route_->settings->timeouts.request_body;
    } else {
      return fail(Cause::kBodyTimeout, Source::kDownstream);
    }
  }
  if (body_began_ != 0 && !request_done_ && phase_ != Phase::kRespond && down_->waiting_for_peer()) {
    Nanos took = at - body_began_;
    if (took > route_->settings->timeouts.request_body && body_received_ * kSecond < kMinBytesPerSecond * took) {
      return fail(Cause::kBodyTimeout, Source::kDownstream);
    }
  }
  if (response_deadline_ != 0 && at >= response_deadline_) {
    bool server_is_late =
        phase_ != Phase::kRespond || primary().stream == nullptr || primary().stream->waiting_for_peer();
    if (server_is_late) return fail(Cause::kResponseTimeout, Source::kUpstream);
    response_deadline_ = at + response_gap();
  }
  arm_first();
}

// ---- the client's stream ends ----

void Exchange::on_refused(Stream&, Cause cause, const char* detail) {
  if (phase_ == Phase::kTunnel) return end_tunnel();
  head_.keep_alive = false;
  if (phase_ == Phase::kReceive) {
    head_.fields = Fields(arena_);
    identify();  // a person who complains has at least an id to show
  }
  answer(Error{cause, Source::kDownstream, RetrySafety::kNever, 0, detail});
}

void Exchange::on_reset(Stream&, const Error& error) {
  down_ = nullptr;
  if (termination_ == Cause::kNone && phase_ != Phase::kTunnel) {
    termination_ = error.cause == Cause::kNone ? Cause::kClientLeft : error.cause;
  }
  if (status_ == 0) status_ = termination_ == Cause::kClientLeft ? 499 : info(termination_).status;
  cancel_tries();
  finish();
}

void Exchange::on_finished(Stream&) {
  down_ = nullptr;
  if (phase_ == Phase::kTunnel && primary().stream != nullptr) {
    Stream* s = primary().stream;
    primary().stream = nullptr;
    s->release();
  }
  cancel_tries();
  finish();
}

// ---- tunnels ----

void Exchange::tunnel_data(Stream& to, FrameTracker& frames, Pump& pump, std::string_view data) {
  if (!going_away_) {
    frames.feed(data);
    pump.data(to, data);
    return;
  }
  // Only the rest of the frame under way still goes; then our close frame, in both directions.
  std::size_t n = frames.until_boundary(data);
  frames.feed(data.substr(0, n));
  pump.data(to, data.substr(0, n));
  if (n < data.size() || frames.at_boundary()) {
    send_going_away();
    end_tunnel();
  }
}

void Exchange::go_away() {
  if (phase_ != Phase::kTunnel || going_away_) return;
  going_away_ = true;
  if (termination_ == Cause::kNone) termination_ = Cause::kDrainCut;
  if (from_client_frames_.at_boundary() && from_server_frames_.at_boundary()) {
    send_going_away();
    end_tunnel();
  }
}

// A close frame where a frame may begin; where one is under way it would only be payload.
void Exchange::send_going_away() {
  char* text = arena_.bytes(16);
  if (down_ != nullptr && from_server_frames_.at_boundary() && !from_server_frames_.closed() && !down_->out_done()) {
    down_->send_data({text, write_going_away(false, text)});
  }
  Stream* up = primary().stream;
  if (up != nullptr && from_client_frames_.at_boundary() && !from_client_frames_.closed() && !up->out_done()) {
    char* masked = text + 8;
    up->send_data({masked, write_going_away(true, masked)});
  }
}

void Exchange::end_tunnel(bool clean) {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kAnswered;
  response_ended_ = now();
  to_client_.detach();
  to_server_.detach();
  if (Stream* up = primary().stream; up != nullptr && clean) {
    primary().stream = nullptr;
    up->end_tunnel();
  }
  cancel_tries();
  if (down_ == nullptr) return finish();
  if (clean && down_->end_tunnel()) return;  // on_finished follows
  Stream* s = down_;
  down_ = nullptr;
  if (!clean) s->reset();
  finish();
}

bool Exchange::is_on(const ServerSlot& slot, Nanos by) const {
  if (phase_ == Phase::kOver || attempts_ == 0) return false;
  const Try& t = tries_[static_cast<std::size_t>(attempts_ - 1)];
  return t.counted && t.pool->slot == &slot && t.started <= by;
}

bool Exchange::leave_politely() {
  if (going_away_) return false;
  if (is_tunnel()) {
    go_away();
    return true;
  }
  going_away_ = true;
  answer(Error{Cause::kDrainCut, Source::kInternal, RetrySafety::kNever, 0, "draining: ask again, elsewhere"});
  return true;
}

void Exchange::cut() {
  cut_ = true;
  if (phase_ == Phase::kTunnel) {
    termination_ = Cause::kDrainCut;
    send_going_away();
    end_tunnel();
    return;
  }
  if (down_ == nullptr) return;
  head_.keep_alive = false;
  answer(internal_error(Cause::kDrainCut));
}

void Exchange::end(Cause cause) {
  if (down_ == nullptr) return;
  head_.keep_alive = false;
  if (phase_ == Phase::kTunnel) {
    termination_ = cause;
    return end_tunnel(false);
  }
  if (phase_ == Phase::kAnswered) {
    // What the server said is still to be read by a client that does not.
    termination_ = cause;
    Stream* s = down_;
    down_ = nullptr;
    s->reset();
    return finish();
  }
  answer(Error{cause, Source::kInternal, RetrySafety::kNever, 0, nullptr});
}

std::size_t Exchange::bytes_held() const {
  std::size_t n = replay_.size();
  auto held = [](const Stream* s) {
    return s == nullptr ? 0 : s->held() + (s->connection().can().multiplexes ? 0 : s->connection().bytes_held());
  };
  n += held(down_);
  if (attempts_ > 0) n += held(tries_[static_cast<std::size_t>(attempts_ - 1)].stream);
  return n;
}

// ---- the end ----

void Exchange::finish() {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  worker_.context().loop().cancel_timer(timer_);
  for (int i = 0; i < attempts_; ++i) leave_server(tries_[static_cast<std::size_t>(i)]);
  if (circuit_trial_) abandon_trial(*group().group->slot);
  if (worker_.drains()) {
    worker_.left(*this,
                 cut_          ? Worker::Left::kCut
                 : going_away_ ? Worker::Left::kMoved
                               : Worker::Left::kFinished,
                 status_ == 101, grpc_);
  }
  if (in_group_) {
    GroupState& g = group();
    --g.active;
    g.stats->in_flight_ended.add();
    if (grpc_) g.stats->grpc[grpc_status_index(grpc_status_)].add();
  }
  ListenerState& state = snapshot_->listeners[listener_];
  state.stats->requests[status_ == 499 ? 4 : status_class(status_)].add();
  state.stats->duration.record(now() - began_);
  state.stats->bytes_in.add(body_received_);
  state.stats->bytes_out.add(body_sent_ + to_client_.moved() * (status_ == 101));
  if (termination_ != Cause::kNone) worker_.stats().terminations[static_cast<std::size_t>(termination_)].add();
  if (worker_.log().on()) write_log();
  replay_.clear();
  WorkerSnapshot* pinned = snapshot_;
  snapshot_ = nullptr;
  client_connection_ = nullptr;
  worker_.unpin(*pinned);
  worker_.recycle(*this);
}

void Exchange::write_log() {
  LogRecord r;
  r.wall = began_wall_;
  r.request_time = now() - began_;
  r.status = status_;
  r.client_port = client_connection_->info().client_port;
  r.body_bytes_sent = status_ == 101 ? to_client_.moved() : body_sent_;
  r.request_length = head_.wire_size + body_received_;
  r.attempts = static_cast<std::uint8_t>(attempts_);
  r.has_upstream = attempts_ > 0 && primary().pool != nullptr;
  if (r.has_upstream) {
    r.upstream_status = upstream_status_;
    r.upstream_connect_time = connect_time_;
    Nanos end = response_ended_ != 0 ? response_ended_ : now();
    r.upstream_response_time = end - primary().started;
  }
  const TlsInfo* tls = client_connection_->tls();
  std::string_view texts[static_cast<std::size_t>(LogText::kCount)];
  auto set = [&](LogText t, std::string_view v) { texts[static_cast<std::size_t>(t)] = v; };
  set(LogText::kMethod, head_.method_text);
  set(LogText::kUri, head_.target);
  set(LogText::kHost, host_text_);
  set(LogText::kClientIp, client_text_);
  set(LogText::kScheme, client_connection_->info().secure ? "https" : "http");
  if (!head_.method_text.empty()) set(LogText::kProtocol, version_text(head_.version));
  set(LogText::kUpstreamAddr, upstream_text_);
  set(LogText::kUserAgent, head_.fields.value(HeaderId::kUserAgent));
  set(LogText::kReferer, head_.fields.value(HeaderId::kReferer));
  set(LogText::kForwardedFor, forwarded_for_text_);
  set(LogText::kListener, listener().name);
  if (route_ != nullptr) set(LogText::kRule, route_->rule);
  if (group_ >= 0) set(LogText::kGroup, group().group->name);
  set(LogText::kTermination, info(termination_).name);
  set(LogText::kRequestId, request_id_);
  set(LogText::kTraceId, trace_id_);
  set(LogText::kGrpcStatus, grpc_status_);
  if (tls != nullptr) {
    set(LogText::kSslProtocol, tls->protocol);
    set(LogText::kSslCipher, tls->cipher);
  }
  worker_.log().write(worker_.index(), r, texts);
}

}  // namespace albatross
