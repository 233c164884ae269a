// The client's stream: its request comes, its end is the exchange's.
#include "proxy/exchange/exchange.h"

#include "healthcheck/circuit.h"
#include "http/grpc.h"
#include "proxy/drains.h"
#include "proxy/exchange/admission.h"
#include "proxy/listeners.h"
#include "proxy/upstream/group.h"

namespace albatross {

Exchange::Exchange(Services& services, ExchangeOwner& owner)
    : services_(services), owner_(owner), body_(services.loop.blocks()) {}

Exchange::~Exchange() = default;

void Exchange::begin(ListenerSlot& slot, Connection& client, Stream& stream) {
  slot_ = &slot;
  view_ = slot.view;
  Listeners::pin(*view_);
  client_ = &client;
  down_ = &stream;
  stream.events = this;
  route_ = nullptr;
  settings_ = nullptr;
  head_ = Head{};
  head_.version = client.info().version;
  captures_ = {};
  body_.begin(stream);
  to_client_ = Pump();
  tunnel_.begin();
  group_ = nullptr;
  attempts_ = given_back_ = 0;
  wanted_ = nullptr;
  phase_ = Phase::kReceive;
  told_ = cut_ = queued_ = grpc_ = set_cookie_ = made_key_ = circuit_trial_ = false;
  deadlines_ = {};
  account_ = {};
  account_.began = now();
  account_.began_wall = services_.loop.wall();
  account_.client = client.info().client_text();
  account_.listener = view_->listener->name;
}

void Exchange::on_head(Stream&, Head& head, bool end) {
  head_ = head;
  body_.set_whole(end);
  head_.scheme = client_->info().secure ? "https" : "http";
  grpc_ = is_grpc(head_);
  account_.host = head_.authority;
  account_.forwarded_for = head_.fields.value(HeaderId::kXForwardedFor);
  const ListenerRuntime& listener = *view_->listener;
  identify(services_, head_, arena_, account_);
  if (Refusal why = admit(services_, listener, *client_, head_, arena_); why.cause != Cause::kNone) {
    head_.keep_alive = false;  // nothing more is read from somebody who sends such things
    return answer(downstream_error(why.cause, why.detail));
  }
  const IpAddress source = forward_identity(listener, client_->info(), head_, arena_, account_);
  WorkerRules& rules = *view_->rules;
  RouteMatch match =
      rules.matcher->match({head_.authority, head_.path, head_.query, head_.method_text, &head_.fields, source});
  captures_ = match.captures;
  route_ = &rules.rules->routes.all[match.rule];
  settings_ = route_->settings;
  account_.rule = route_->rule;
  rules.stats[match.rule]->requests.add();
  down_->set_send_timeout(timeouts().send);
  if (timeouts().total != 0) deadlines_.total = account_.began + timeouts().total;
  if (grpc_) {
    // "100m": how long the client will wait.
    if (auto patience = parse_grpc_timeout(head_.fields.value(HeaderId::kGrpcTimeout))) {
      deadlines_.grpc = account_.began + *patience;
      deadlines_.limit_total(deadlines_.grpc);
    }
  }
  if (head_.body.kind == BodyLength::Kind::kLength && head_.body.length > settings_->body_limit) {
    return answer(downstream_error(Cause::kBodyTooLarge));
  }
  act();
}

void Exchange::on_data(Stream& s, std::string_view data) {
  body_.count(data.size());
  switch (phase_) {
    case Phase::kTunnel: return pass(true, data);
    case Phase::kAnswered:
    case Phase::kOver: return;  // dropped; the connection closes after the answer
    default: break;
  }
  if (head_.upgrade) return body_.hold(data);  // early bytes of a tunnel: the window bounds them
  if (phase_ != Phase::kRespond && !grpc_ && settings_ != nullptr) deadlines_.body_moves(now(), timeouts().request_body);
  if (settings_ != nullptr && body_.received() > settings_->body_limit) {
    return answer(downstream_error(Cause::kBodyTooLarge));
  }
  if (phase_ == Phase::kConnect) {
    body_.hold(data);
    if (body_.may_hold_more()) s.consume(data.size());
    return;
  }
  Stream* server = try_.stream();
  if (server == nullptr) return s.consume(data.size());
  if (body_.replayable()) body_.keep(data);
  if (phase_ == Phase::kRespond || grpc_) deadlines_.response = now() + response_gap();
  body_.send(*server, data);
}

void Exchange::on_end(Stream&, Fields* trailers) {
  Stream* server = try_.stream();
  if (phase_ == Phase::kTunnel) {
    body_.set_whole(true);
    if (server != nullptr) server->send_end(nullptr);
    return;
  }
  body_.end(trailers);
  if ((phase_ == Phase::kForward || phase_ == Phase::kRespond) && server != nullptr) body_.send_end(*server);
  deadlines_.body = 0;
  if (phase_ == Phase::kForward) set_deadlines();
}

void Exchange::on_refused(Stream&, Cause cause, const char* detail) {
  if (phase_ == Phase::kTunnel) return end_tunnel();
  head_.keep_alive = false;
  if (phase_ == Phase::kReceive) {
    head_.fields = Fields(arena_);
    identify(services_, head_, arena_, account_);  // a person who complains has at least an id to show
  }
  answer(downstream_error(cause, detail));
}

void Exchange::on_sent(Stream&, std::size_t bytes) {
  to_client_.sent(bytes);
  if (phase_ == Phase::kRespond) deadlines_.response = now() + response_gap();
}

// ---- the end ----

void Exchange::on_reset(Stream&, const Error& error) {
  down_ = nullptr;
  if (phase_ != Phase::kTunnel) account_.ended_by(error.cause == Cause::kNone ? Cause::kClientLeft : error.cause);
  if (account_.status == 0) {
    const Cause cause = account_.termination;
    account_.status = cause == Cause::kClientLeft ? std::uint16_t{499} : info(cause).status;
  }
  cancel_try();
  finish();
}

void Exchange::on_finished(Stream&) {
  down_ = nullptr;
  if (phase_ == Phase::kTunnel) try_.finish();
  cancel_try();
  finish();
}

// The client must see that it was cut.
void Exchange::drop_client() {
  std::exchange(down_, nullptr)->reset();
  finish();
}

void Exchange::finish() {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  services_.loop.cancel_timer(timer_);
  const bool tunnel = account_.status == 101;
  if (tunnel) account_.body_sent = to_client_.moved();
  account_.attempts = static_cast<std::uint8_t>(attempts_);
  account_.body_received = body_.received();
  try_.lease.release(left());
  if (circuit_trial_) abandon_trial(*group().settings().slot);
  if (services_.drains->any()) services_.drains->left(*this);
  if (group_ != nullptr) {
    group().leave();
    if (grpc_) group().stats().grpc[grpc_status_index(account_.grpc_status)].add();
  }
  ListenerStats& stats = *slot_->stats;
  stats.requests[account_.status == 499 ? 4 : status_class(account_.status)].add();
  stats.duration.record(now() - account_.began);
  stats.bytes_in.add(account_.body_received);
  stats.bytes_out.add(account_.body_sent);
  if (account_.termination != Cause::kNone) {
    services_.stats.terminations[static_cast<std::size_t>(account_.termination)].add();
  }
  if (services_.log().on()) write_log(services_, account_, head_, *client_, now());
  body_.clear();
  client_ = nullptr;
  arena_.reset();
  if (view_ != nullptr) owner_.unpin(*std::exchange(view_, nullptr));
  owner_.recycle(*this);
}

// An answer is on its way, or a tunnel: of the version that it began under only a few strings and times are needed.
void Exchange::detach() {
  if (view_ == nullptr || view_->current || (phase_ != Phase::kTunnel && phase_ != Phase::kRespond)) return;
  own_settings_ = *settings_;
  settings_ = &own_settings_;
  account_.own(arena_);
  route_ = nullptr;
  owner_.unpin(*std::exchange(view_, nullptr));
}

// ---- Flow ----

Flow::Kind Exchange::kind() const {
  if (account_.status == 101) return Kind::kTunnel;
  return grpc_ ? Kind::kCall : Kind::kRequest;
}

bool Exchange::go_away() {
  if (told_) return false;
  if (phase_ == Phase::kTunnel) {
    told_ = true;
    account_.ended_by(Cause::kDrainCut);
    if (!tunnel_.between_frames()) return true;  // at the next boundary: see pass()
    tunnel_.send_going_away(down_, try_.stream(), arena_);
    end_tunnel();
    return true;
  }
  if (phase_ == Phase::kAnswered || phase_ == Phase::kOver) return false;
  told_ = true;
  answer(internal_error(Cause::kDrainCut, "draining: ask again, elsewhere"));
  return true;
}

void Exchange::cut() {
  cut_ = true;
  if (phase_ == Phase::kTunnel) {
    account_.termination = Cause::kDrainCut;
    tunnel_.send_going_away(down_, try_.stream(), arena_);
    return end_tunnel();
  }
  if (down_ == nullptr) return;
  head_.keep_alive = false;
  answer(internal_error(Cause::kDrainCut));
}

void Exchange::end(Cause cause) {
  if (down_ == nullptr) return;
  head_.keep_alive = false;
  if (phase_ == Phase::kTunnel) {
    account_.termination = cause;
    return end_tunnel(false);
  }
  if (phase_ == Phase::kAnswered) {
    // What the server said is still to be read by a client that does not.
    account_.termination = cause;
    return drop_client();
  }
  answer(internal_error(cause));
}

std::size_t Exchange::bytes_held() const {
  auto held = [](const Stream* s) -> std::size_t {
    if (s == nullptr) return 0;
    return s->held() + (s->connection().can().multiplexes ? 0 : s->connection().bytes_held());
  };
  return body_.held() + held(down_) + held(try_.stream());
}

}  // namespace albatross
