// Receive head, normalise, match, act.
#include <charconv>
#include <cstring>

#include "http/grpc.h"
#include "proxy/exchange/exchange.h"
#include "proxy/worker.h"
#include "tls/tls_info.h"

namespace albatross {
namespace {

constexpr int kMaxPasses = 16;
constexpr int kMaxInstances = 16;

char* put_hex(char* p, std::uint64_t v, int digits) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int i = digits - 1; i >= 0; --i) *p++ = kHex[v >> (4 * i) & 15];
  return p;
}

bool valid_request_id(std::string_view id) { return !id.empty() && id.size() <= 128 && is_token(id); }

// "00-<32 hex>-<16 hex>-<2 hex>" (W3C Trace Context), not all zero.
bool valid_traceparent(std::string_view t) {
  if (t.size() < 55 || t[2] != '-' || t[35] != '-' || t[52] != '-') return false;
  bool trace = false, span = false;
  for (std::size_t i = 0; i < 55; ++i) {
    if (i == 2 || i == 35 || i == 52) continue;
    bool hex = (t[i] >= '0' && t[i] <= '9') || (t[i] >= 'a' && t[i] <= 'f');
    if (!hex) return false;
    if (i > 2 && i < 35) trace |= t[i] != '0';
    if (i > 35 && i < 52) span |= t[i] != '0';
  }
  return trace && span && (t.size() == 55 ? t.substr(0, 2) != "ff" : t.substr(0, 2) != "00");
}

}  // namespace

Exchange::Exchange(Worker& worker) : worker_(worker), replay_(worker.loop().blocks()) {
  for (Try& t : tries_) t.x = this;
}

Exchange::~Exchange() = default;

Nanos Exchange::now() const { return worker_.context().loop().now(); }

void Exchange::begin(Connection& connection, Stream& stream, WorkerSnapshot& snapshot, std::size_t listener) {
  snapshot_ = &snapshot;
  ++snapshot.pins;
  listener_ = listener;
  client_connection_ = &connection;
  down_ = &stream;
  stream.events = this;
  route_ = nullptr;
  group_ = -1;
  attempts_ = given_back_ = 0;
  wanted_ = -1;
  head_ = Head{};
  head_.version = connection.info().version;
  captures_ = {};
  to_server_ = to_client_ = Pump();
  to_server_.attach(stream);
  from_client_frames_ = from_server_frames_ = FrameTracker();
  phase_ = Phase::kReceive;
  termination_ = Cause::kNone;
  request_done_ = has_trailers_ = replayable_ = sent_end_ = going_away_ = set_cookie_ = in_group_ = cut_ = false;
  grpc_ = made_key_ = false;
  status_ = upstream_status_ = 0;
  began_ = now();
  began_wall_ = worker_.context().loop().wall();
  connect_time_ = response_began_ = response_ended_ = body_began_ = 0;
  body_deadline_ = response_deadline_ = total_deadline_ = grpc_deadline_ = 0;
  answer_by_ = try_deadline_ = queue_deadline_ = 0;
  circuit_trial_ = false;
  body_received_ = body_sent_ = 0;
  client_ = connection.info().client;
  client_text_ = connection.info().client_text();
  host_text_ = forwarded_for_text_ = request_id_ = trace_id_ = grpc_status_ = upstream_text_ = {};
}

void Exchange::on_head(Stream&, Head& head, bool end) {
  head_ = head;
  request_done_ = end;
  head_.scheme = client_connection_->info().secure ? "https" : "http";
  host_text_ = head_.authority;
  grpc_ = is_grpc(head_);
  forwarded_for_text_ = head_.fields.value(HeaderId::kXForwardedFor);
  if (!admit()) return;
  ListenerState& state = snapshot_->listeners[listener_];
  RouteQuery query{head_.authority, head_.path, head_.query, head_.method_text, &head_.fields, client_};
  RouteMatch match = state.matcher->match(query);
  captures_ = match.captures;
  route_ = &state.listener->routes.all[match.rule];
  state.rules[match.rule]->requests.add();
  down_->set_send_timeout(route_->settings->timeouts.send);
  if (route_->settings->timeouts.total != 0) total_deadline_ = began_ + route_->settings->timeouts.total;
  if (grpc_) limit_by_grpc_timeout();
  if (head_.body.kind == BodyLength::Kind::kLength && head_.body.length > route_->settings->body_limit) {
    return answer(downstream_error(Cause::kBodyTooLarge));
  }
  act();
}

// Everything that a request must pass before rules see it. False: it has been answered.
bool Exchange::admit() {
  identify();
  Refusal why;
  if (head_.path != "*") why = normalise_path(head_.path, listener().slashes, arena_, head_.path);
  if (why.cause == Cause::kNone && misdirected()) why = {Cause::kMisdirected, nullptr};
  if (why.cause == Cause::kNone) why = count_loop();
  if (why.cause != Cause::kNone) {
    head_.keep_alive = false;  // nothing more is read from somebody who sends such things
    answer(Error{why.cause, Source::kDownstream, RetrySafety::kNever, 0, why.detail});
    return false;
  }
  const ForwardedPolicy& policy = listener().forwarded;
  ForwardedPeer peer{client_connection_->info().client, client_connection_->info().client_text(),
                     head_.scheme,          listener().port_text,
                     head_.authority,       contains(policy.trusted, client_connection_->info().client)};
  client_ = client_address(policy, peer, head_.fields);
  if (client_ != peer.address) {
    char* text = arena_.bytes(46);
    client_text_ = {text, client_.format(text)};
  }
  apply_forwarded(policy, peer, head_.fields);
  return true;
}

// RFC 9113 §9.1.1: a client may send requests for any name on one connection if the certificate covers it.
bool Exchange::misdirected() const {
  if (!client_connection_->can().multiplexes) return false;
  const TlsInfo* tls = client_connection_->tls();
  if (tls == nullptr || tls->sni.empty()) return false;
  std::string_view host = host_of(head_.authority);
  return !equals_ignore_case(host, tls->sni) && !client_connection_->covers(host);
}

// "100m": how long the client will wait.
void Exchange::limit_by_grpc_timeout() {
  std::optional<Nanos> timeout = parse_grpc_timeout(head_.fields.value(HeaderId::kGrpcTimeout));
  if (!timeout) return;
  grpc_deadline_ = began_ + *timeout;
  total_deadline_ = total_deadline_ == 0 ? grpc_deadline_ : std::min(total_deadline_, grpc_deadline_);
}

// X-Request-Id and traceparent: kept if sound, else made.
void Exchange::identify() {
  if (const Field* id = head_.fields.find(HeaderId::kXRequestId); id != nullptr && valid_request_id(id->value())) {
    request_id_ = id->value();
    if (head_.fields.count(HeaderId::kXRequestId) > 1)
      head_.fields.set(HeaderId::kXRequestId, "X-Request-Id", request_id_);
  } else {
    char* text = arena_.bytes(32);
    put_hex(put_hex(text, worker_.random().next(), 16), worker_.random().next(), 16);
    request_id_ = {text, 32};
    head_.fields.set(HeaderId::kXRequestId, "X-Request-Id", request_id_);
  }
  std::string_view parent = head_.fields.value(HeaderId::kTraceparent);
  if (!valid_traceparent(parent) || head_.fields.count(HeaderId::kTraceparent) > 1) {
    char* text = arena_.bytes(55);
    char* p = text;
    std::memcpy(p, "00-", 3);
    p = put_hex(put_hex(p + 3, worker_.random().next(), 16), worker_.random().next() | 1, 16);
    *p++ = '-';
    p = put_hex(p, worker_.random().next() | 1, 16);
    std::memcpy(p, "-00", 3);
    parent = {text, 55};
    head_.fields.set(HeaderId::kTraceparent, "traceparent", parent);
    head_.fields.remove(HeaderId::kTracestate);
  }
  trace_id_ = parent.substr(3, 32);
}

// "albatross-trace: 1a2b3c4d=2, …": how often each instance has seen this request.
Refusal Exchange::count_loop() {
  const std::string& me = worker_.instance();
  const Field* f = head_.fields.find(HeaderId::kAlbatrossTrace);
  std::string_view others;
  int passes = 0, instances = 0;
  if (f != nullptr) {
    for_each_token(f->value(), [&](std::string_view t) {
      std::size_t eq = t.find('=');
      if (eq == std::string_view::npos || ++instances > kMaxInstances) return;
      if (t.substr(0, eq) == me) {
        std::from_chars(t.data() + eq + 1, t.data() + t.size(), passes);
      } else {
        others = others.empty() ? t : arena_.concat(others, std::string_view(", "), t);
      }
    });
  }
  if (passes >= kMaxPasses || instances > kMaxInstances) return {Cause::kLoop, nullptr};
  char number[12];
  std::size_t n = static_cast<std::size_t>(std::to_chars(number, number + sizeof number, passes + 1).ptr - number);
  std::string_view value = arena_.concat(others, std::string_view(others.empty() ? "" : ", "), me,
                                         std::string_view("="), std::string_view(number, n));
  head_.fields.set(HeaderId::kAlbatrossTrace, "albatross-trace", value);
  return {};
}

TemplateValues Exchange::template_values() {
  TemplateValues v;
  v.host = host_of(head_.authority);
  v.path = head_.path;
  v.query = head_.query;
  v.written_port = port_of(head_.authority);
  v.port = v.written_port.empty() ? std::string_view(listener().port_text) : v.written_port;
  v.protocol = head_.scheme;
  v.client_ip = client_text_;
  char* text = arena_.bytes(6);
  v.client_port = {text,
                   static_cast<std::size_t>(std::to_chars(text, text + 6, client_connection_->info().client_port).ptr - text)};
  v.listener = listener().name;
  v.rule = route_->rule;
  v.request_id = request_id_;
  v.fields = &head_.fields;
  v.captures = &captures_;
  return v;
}

void Exchange::act() {
  switch (route_->answer) {
    case Route::Answer::kRedirect: return redirect(*route_);
    case Route::Answer::kFixedResponse: return fixed_response(*route_);
    case Route::Answer::kForward: break;
  }
  if (!route_->edits.empty()) {
    Refusal why = apply_edits(*route_, template_values(), listener().slashes, head_);
    if (why.cause != Cause::kNone) {
      return answer(Error{why.cause, Source::kInternal, RetrySafety::kNever, 0, why.detail});
    }
  }
  forward();
}

void Exchange::redirect(const Route& route) {
  Head h;
  h.fields = Fields(arena_);
  h.status = route.code;
  TemplateValues values = template_values();
  if (!route.edits.empty()) {
    // Edits in front of a redirect change what it is built from.
    Refusal why = apply_edits(route, values, listener().slashes, head_);
    if (why.cause != Cause::kNone)
      return answer(Error{why.cause, Source::kInternal, RetrySafety::kNever, 0, why.detail});
    values = template_values();
  }
  h.fields.add(HeaderId::kLocation, "location", redirect_location(route, values, arena_));
  answer(h, {});
}

void Exchange::fixed_response(const Route& route) {
  Head h;
  h.fields = Fields(arena_);
  h.status = route.code;
  if (!route.body.empty()) h.fields.add(HeaderId::kContentType, "content-type", route.content_type);
  answer(h, route.body);
}

}  // namespace albatross
