// The client's side: the request arrives and is matched, and the exchange ends. Also the functions that drains call
// (Flow).
#include "proxy/exchange/exchange.h"

#include <charconv>

#include "http/grpc.h"
#include "proxy/drains.h"
#include "proxy/exchange/admission.h"
#include "proxy/listeners.h"
#include "tls/tls_info.h"

namespace albatross {
namespace {

TemplateValues template_values(const Request& r, const ListenerRuntime& listener, const Route& route,
                               const Captures& captures, Arena& arena) {
  TemplateValues v = request_values(r.head, r.believed, listener.port_text, captures);
  v.client_ip = r.account.client;
  v.client_port = number_text(r.client->info().client_port, arena);
  v.listener = listener.name;
  v.rule = route.rule;
  v.request_id = r.account.request_id;
  return v;
}

}  // namespace

Exchange::Exchange(Services& services, ExchangeOwner& owner) : owner_(owner), r_(services) {}

Exchange::~Exchange() = default;

void Exchange::begin(ListenerSlot& slot, Connection& client, Stream& stream) {
  slot_ = &slot;
  view_ = slot.view;
  Listeners::pin(*view_);
  route_ = nullptr;
  captures_ = {};
  to_client_ = Pump();
  tunnel_.begin();
  server_.begin();
  told_ = cut_ = false;
  stream.events = this;
  r_.client = &client;
  r_.down = &stream;
  r_.settings = nullptr;
  r_.head = Head{};
  r_.head.version = client.info().version;
  r_.believed = {};
  r_.body.begin(stream);
  r_.phase = Phase::kReceive;
  r_.grpc = false;
  r_.explained = false;
  r_.deadlines = {};
  r_.account = {};
  r_.account.began = r_.now();
  r_.account.began_wall = r_.services.loop.wall();
  r_.account.client = client.info().client_text();
  r_.account.listener = view_->listener->name;
}

void Exchange::on_head(Stream&, Head& head, bool end) {
  r_.head = head;
  r_.body.set_whole(end);
  r_.head.scheme = r_.client->info().secure ? "https" : "http";
  r_.grpc = is_grpc(r_.head);
  r_.account.host = r_.head.authority;
  r_.account.forwarded_for = r_.head.fields.value(HeaderId::kXForwardedFor);
  const ListenerRuntime& listener = *view_->listener;
  if (r_.client->info().in_clear) {
    r_.head.keep_alive = false;
    identify(r_.services, r_.head, r_.arena, r_.account);
    return answer(downstream_error(Cause::kClearText));
  }
  const auto dropped = drop_underscored(listener.underscores, listener.rules->routes.header_names, r_.head.fields);
  if (dropped != 0) slot_->stats->underscored.add(dropped);
  identify(r_.services, r_.head, r_.arena, r_.account);
  Refusal why = admit(r_.services, listener, *r_.client, r_.head, r_.arena);
  if (why.cause != Cause::kNone) {
    r_.head.keep_alive = false;  // the connection of a client that sends such a request is not read any more
    return answer(downstream_error(why.cause, why.detail));
  }
  match();
  if (r_.head.body.kind == BodyLength::Kind::kLength && r_.head.body.length > r_.settings->body_limit) {
    return answer(downstream_error(Cause::kBodyTooLarge));
  }
  act();
}

// Finds the route, and the timeouts and limits of the request.
void Exchange::match() {
  const Head& head = r_.head;
  const ListenerRuntime& listener = *view_->listener;
  std::unique_ptr<AskedRequest> asked;  // before fields change
  if (!listener.explain_from.empty()) asked = asked_request(listener, r_);
  const IpAddress source = forward_identity(listener, r_);
  if (asked != nullptr && contains(listener.explain_from, source)) {
    r_.explained = true;
    r_.services.settings.asked(std::move(*asked));
  }
  WorkerRules& rules = *view_->rules;
  RouteQuery query{head.authority, head.path, head.query, head.method_text, &head.fields, source};
  query.wall = r_.account.began_wall;
  if (const TlsInfo* tls = rules.rules->routes.look_at_tls ? r_.client->tls() : nullptr) {
    query.sni = tls->sni;
    query.alpn = tls->alpn;
  }
  const RouteMatch found = rules.matcher->match(query);
  captures_ = found.captures;
  route_ = &rules.rules->routes.all[found.rule];
  rules.stats[found.rule]->requests.add();
  r_.settings = route_->settings;
  r_.account.rule = route_->rule;
  r_.down->set_send_timeout(r_.timeouts().send);
  if (r_.timeouts().total != 0) r_.deadlines.total = r_.account.began + r_.timeouts().total;
  if (!r_.grpc) return;
  // How long the client will wait, such as "100m".
  if (auto patience = parse_grpc_timeout(head.fields.value(HeaderId::kGrpcTimeout))) {
    r_.deadlines.grpc = r_.account.began + *patience;
    r_.deadlines.limit_total(r_.deadlines.grpc);
  }
}

// Applies the edits, then answers or forwards. A redirect is built from the edited request.
void Exchange::act() {
  const Route& route = *route_;
  const ListenerRuntime& listener = *view_->listener;
  OwnAnswer own;
  if (route.answer == Route::Answer::kFixedResponse) {
    own.head.fields = Fields(r_.arena);
    own.head.status = route.code;
    own.body = route.body;
    if (!own.body.empty()) own.head.fields.add(HeaderId::kContentType, "Content-Type", route.content_type);
    return answer(own);
  }
  if (!route.edits.empty()) {
    const TemplateValues values = template_values(r_, listener, route, captures_, r_.arena);
    Refusal why = apply_edits(route, values, listener.slashes, r_.head);
    if (why.cause != Cause::kNone) return answer(internal_error(why.cause, why.detail));
  }
  if (route.answer == Route::Answer::kForward) {
    return server_.start(route, route.watched ? &view_->rules->rules->arms.at(&route) : nullptr);
  }
  own.head.fields = Fields(r_.arena);
  own.head.status = route.code;
  TemplateValues values = template_values(r_, listener, route, captures_, r_.arena);
  use_believed_host(values, r_.believed);
  own.head.fields.add(HeaderId::kLocation, "Location", redirect_location(route, values, r_.arena));
  answer(own);
}

void Exchange::on_data(Stream& s, std::string_view data) {
  r_.body.count(data.size());
  switch (r_.phase) {
    case Phase::kTunnel: return pass(true, data);
    case Phase::kAnswered:
    case Phase::kOver: return;  // dropped; the connection closes after the answer
    default: break;
  }
  if (r_.head.upgrade) return r_.body.hold(data);  // early bytes of a tunnel; the window limits them
  if (r_.phase != Phase::kRespond && !r_.grpc && r_.settings != nullptr)
    r_.deadlines.body_moves(r_.now(), r_.timeouts().request_body);
  if (r_.settings != nullptr && r_.body.received() > r_.settings->body_limit) {
    return answer(downstream_error(Cause::kBodyTooLarge));
  }
  if (r_.phase == Phase::kConnect) {
    r_.body.hold(data);
    if (r_.body.may_hold_more()) return s.consume(data.size());
    return r_.deadlines.hold_body(r_.now());
  }
  Stream* server = server_.stream();
  if (server == nullptr) return s.consume(data.size());
  if (r_.body.replayable()) r_.body.keep(data);
  if (r_.phase == Phase::kRespond || r_.grpc) r_.deadlines.response = r_.now() + server_.response_gap();
  r_.deadlines.hold_body(r_.now());
  r_.body.send(*server, data);
}

void Exchange::on_end(Stream&, Fields* trailers) {
  Stream* server = server_.stream();
  if (r_.phase == Phase::kTunnel) {
    r_.body.set_whole(true);
    if (server != nullptr) server->send_end(nullptr);
    return;
  }
  if (trailers != nullptr && r_.settings != nullptr && r_.settings->drop_underscored) {
    const auto dropped = drop_underscored(Underscores::kDrop, {}, *trailers);
    if (dropped != 0) slot_->stats->underscored.add(dropped);
  }
  r_.body.end(trailers);
  if ((r_.phase == Phase::kForward || r_.phase == Phase::kRespond) && server != nullptr) r_.body.send_end(*server);
  r_.deadlines.body = 0;
  if (r_.phase == Phase::kForward) set_deadlines();
}

void Exchange::on_refused(Stream&, Cause cause, const char* detail) {
  if (r_.phase == Phase::kTunnel) return end_tunnel(true);
  r_.head.keep_alive = false;
  if (r_.phase == Phase::kReceive) {
    r_.head.fields = Fields(r_.arena);
    identify(r_.services, r_.head, r_.arena, r_.account);  // so that a client that reports the error has an id to quote
  }
  answer(downstream_error(cause, detail));
}

void Exchange::on_sent(Stream&, std::size_t bytes) {
  to_client_.sent(bytes);
  if (r_.phase == Phase::kRespond) r_.deadlines.response = r_.now() + server_.response_gap();
}

// ---- the end ----

void Exchange::on_reset(Stream&, const Error& error) {
  r_.down = nullptr;
  if (r_.phase != Phase::kTunnel)
    r_.account.ended_by(error.cause == Cause::kNone ? Cause::kClientLeft : error.cause, error);
  if (r_.account.status == 0) {
    const Cause cause = r_.account.termination;
    r_.account.status = cause == Cause::kClientLeft ? std::uint16_t{499} : info(cause).status;
  }
  cancel_server();
  finish();
}

void Exchange::on_finished(Stream&) {
  r_.down = nullptr;
  if (r_.phase == Phase::kTunnel) server_.finish_tunnel();
  cancel_server();
  finish();
}

// Resets the stream, so that the client sees that the answer was cut.
void Exchange::drop_client() {
  std::exchange(r_.down, nullptr)->reset();
  finish();
}

void Exchange::cancel_server() {
  to_client_.detach();
  server_.cancel();
}

void Exchange::finish() {
  if (r_.phase == Phase::kOver) return;
  r_.phase = Phase::kOver;
  r_.services.loop.cancel_timer(timer_);
  Account& a = r_.account;
  if (a.status == 101) a.body_sent = to_client_.moved();
  a.body_received = r_.body.received();
  server_.finish(left());
  if (r_.services.drains->any()) r_.services.drains->left(*this);
  ListenerStats& stats = *slot_->stats;
  stats.requests[a.status == 499 ? 4 : status_class(a.status)].add();
  stats.duration.record(r_.now() - a.began);
  stats.bytes_in.add(a.body_received);
  stats.bytes_out.add(a.body_sent);
  if (a.termination != Cause::kNone) r_.services.stats.terminations[static_cast<std::size_t>(a.termination)].add();
  if (r_.services.log().on()) write_log(r_.services, a, r_.head, *r_.client, r_.now());
  r_.body.clear();
  r_.client = nullptr;
  r_.arena.reset();
  if (view_ != nullptr) owner_.unpin(*std::exchange(view_, nullptr));
  owner_.recycle(*this);
}

// While an answer or a tunnel is under way, only a few strings and times of the version that it began under are needed.
void Exchange::detach() {
  if (view_ == nullptr || view_->current || (r_.phase != Phase::kTunnel && r_.phase != Phase::kRespond)) return;
  own_settings_ = *r_.settings;
  r_.settings = &own_settings_;
  r_.account.own(r_.arena);
  route_ = nullptr;
  owner_.unpin(*std::exchange(view_, nullptr));
}

// ---- Flow ----

Flow::Kind Exchange::kind() const {
  if (r_.account.status == 101) return Kind::kTunnel;
  return r_.grpc ? Kind::kCall : Kind::kRequest;
}

bool Exchange::go_away() {
  if (told_) return false;
  if (r_.phase == Phase::kTunnel) {
    told_ = true;
    r_.account.ended_by(Cause::kDrainCut);
    if (!tunnel_.between_frames()) return true;  // at the next boundary: see pass()
    tunnel_.send_going_away(r_.down, server_.stream(), r_.arena);
    end_tunnel(true);
    return true;
  }
  if (r_.phase == Phase::kAnswered || r_.phase == Phase::kOver) return false;
  told_ = true;
  answer(internal_error(Cause::kDrainCut, "draining: ask again, elsewhere"));
  return true;
}

void Exchange::cut() {
  cut_ = true;
  if (r_.phase == Phase::kTunnel) {
    r_.account.termination = Cause::kDrainCut;
    tunnel_.send_going_away(r_.down, server_.stream(), r_.arena);
    return end_tunnel(true);
  }
  if (r_.down == nullptr) return;
  r_.head.keep_alive = false;
  answer(internal_error(Cause::kDrainCut));
}

void Exchange::end(Cause cause) {
  if (r_.down == nullptr) return;
  r_.head.keep_alive = false;
  if (r_.phase == Phase::kTunnel) {
    r_.account.termination = cause;
    return end_tunnel(false);
  }
  if (r_.phase == Phase::kAnswered) {
    // The answer waits for a client that does not read.
    r_.account.termination = cause;
    return drop_client();
  }
  answer(internal_error(cause));
}

std::size_t Exchange::bytes_held() const {
  auto held = [](const Stream* s) -> std::size_t {
    if (s == nullptr) return 0;
    return s->held() + (s->connection().can().multiplexes ? 0 : s->connection().bytes_held());
  };
  return r_.arena.footprint() + r_.body.held() + held(r_.down) + held(server_.stream());
}

}  // namespace albatross
