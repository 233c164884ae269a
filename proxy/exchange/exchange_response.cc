// Response act, send back, and the answers that are ours (PRODUCT §4).
#include <charconv>

#include "http/h1/write.h"
#include "proxy/exchange/exchange.h"
#include "proxy/worker.h"

namespace albatross {
namespace {

// JSON when it is named and plain text is not named before it.
bool prefers_json(const Head& request) {
  std::string_view accept = request.fields.value(HeaderId::kAccept);
  std::size_t json = accept.find("application/json");
  if (json == std::string_view::npos) return false;
  std::size_t text = accept.find("text/");
  return text == std::string_view::npos || json < text;
}

std::string_view number_text(std::uint64_t n, Arena& arena) {
  char* p = arena.bytes(20);
  return {p, static_cast<std::size_t>(std::to_chars(p, p + 20, n).ptr - p)};
}

}  // namespace

// May the client's connection carry another request after this answer?
bool Exchange::keep_client() const {
  return head_.keep_alive && request_done_ && !client_connection_->draining() && worker_.overload() == OverloadLevel::kNone;
}

void Exchange::response_head(Try& t, Head& head, bool end) {
  if (head.status == 101) return upgrade(t, head);
  if (head.status < 200) return informational(head);
  // RFC 8441 §5: there a 2xx is what opens the tunnel.
  if (head_.upgrade && client_connection_->can().extended_connect && head.status < 300) {
    return answer(
        Error{Cause::kUpstreamMalformed, Source::kUpstream, RetrySafety::kNever, 0, "the server did not upgrade"});
  }
  if (may_ask_another(head.status)) {
    group().stats->requests[status_class(head.status)].add();
    return ask_another(t);
  }
  phase_ = Phase::kRespond;
  response_began_ = now();
  try_deadline_ = 0;
  upstream_status_ = status_ = head.status;
  grpc_status_ = head.fields.value(HeaderId::kGrpcStatus);
  replayable_ = false;
  to_client_.attach(*t.stream);
  judge(t, (head.status >= 502 && head.status <= 504) || (grpc_ && grpc_status_ == "14"));
  if (set_cookie_) add_sticky_cookie(head);
  if (!group().group->sticky.cookie.empty() && t.candidate != wanted_) add_server_cookie(t, head);
  bool old_client = head_.version == Version::kHttp10;
  bool bodyless = head_.method == Method::kHead || head.status == 204 || head.status == 304;
  if (head.body.kind == BodyLength::Kind::kUntilClose && !bodyless) {
    head.body.kind = old_client ? BodyLength::Kind::kUntilClose : BodyLength::Kind::kChunked;
  } else if (head.body.kind == BodyLength::Kind::kChunked && old_client) {
    head.body.kind = BodyLength::Kind::kUntilClose;
  }
  head.version = head_.version;
  head.keep_alive = keep_client() && head.body.kind != BodyLength::Kind::kUntilClose;
  body_deadline_ = 0;  // from here on either direction's bytes count
  down_->send_head(head, end);
  if (end) return upstream_done();
  set_deadlines();
}

// 103 goes to clients that can take it, 100 to one that asked, nothing else.
void Exchange::informational(const Head& head) {
  bool wanted = head.status == 103 || (head.status == 100 && head_.expect_continue);
  if (!wanted || head_.version == Version::kHttp10 || down_->head_sent()) return;
  Head copy = head;
  copy.version = head_.version;
  down_->send_head(copy, false);
}

// Each side has its own handshake where it speaks HTTP/2. False: the server's was wrong.
bool Exchange::complete_handshake(Try& t, Head& head) {
  char accept[kWebsocketAcceptSize];
  write_websocket_accept(head_.fields.value(HeaderId::kSecWebsocketKey), accept);
  if (t.stream->connection().can().extended_connect) {
    if (!client_connection_->can().extended_connect) {
      head.fields.set(HeaderId::kSecWebsocketAccept, "Sec-WebSocket-Accept", arena_.copy({accept, sizeof accept}));
    }
    return true;
  }
  return !made_key_ || head.fields.value(HeaderId::kSecWebsocketAccept) == std::string_view(accept, sizeof accept);
}

void Exchange::upgrade(Try& t, Head& head) {
  const bool good = complete_handshake(t, head);
  judge(t, !good);
  if (!good) {
    return answer(Error{Cause::kUpstreamMalformed, Source::kUpstream, RetrySafety::kNever, 0,
                        "the websocket key was not accepted"});
  }
  phase_ = Phase::kTunnel;
  upstream_status_ = status_ = 101;
  response_began_ = now();
  replayable_ = false;
  to_client_.attach(*t.stream);
  head.version = head_.version;
  down_->send_head(head, false);
  down_->start_tunnel();
  t.stream->start_tunnel();
  request_done_ = down_->in_done();
  send_early_bytes(*t.stream);
  body_deadline_ = response_deadline_ = try_deadline_ = 0;
  arm(now() + route_->settings->timeouts.tunnel);
  if (client_connection_->draining()) go_away();
}

// What a client said on its tunnel before there was one.
void Exchange::send_early_bytes(Stream& to) {
  while (!replay_.empty()) {
    iovec part;
    replay_.peek(&part, 1);
    std::string_view bytes = arena_.copy({static_cast<char*>(part.iov_base), part.iov_len});
    replay_.consume(part.iov_len);
    from_client_frames_.feed(bytes);
    to_server_.data(to, bytes);
  }
  if (request_done_) to.send_end(nullptr);
}

void Exchange::response_data(Stream& s, std::string_view data) {
  if (phase_ == Phase::kTunnel) {
    arm(now() + route_->settings->timeouts.tunnel);
    tunnel_data(*down_, from_server_frames_, to_client_, data);
    return;
  }
  if (phase_ != Phase::kRespond) return;
  body_sent_ += data.size();
  // A gap counts from here, or from when the client took what it has (on_sent).
  response_deadline_ = now() + response_gap();
  if (head_.method == Method::kHead) return s.consume(data.size());
  to_client_.data(*down_, data);
}

void Exchange::response_end(Fields* trailers) {
  if (phase_ == Phase::kTunnel) {
    down_->send_end(nullptr);
    return;
  }
  if (trailers != nullptr) {
    if (const Field* f = trailers->find(HeaderId::kGrpcStatus)) grpc_status_ = f->value();
  }
  down_->send_end(trailers);
  upstream_done();
}

void Exchange::upstream_done() {
  response_ended_ = now();
  Try& t = primary();
  Stream* s = t.stream;
  t.stream = nullptr;
  leave_server(t);
  to_client_.detach();
  to_server_.detach();
  GroupState& g = group();
  g.stats->requests[status_class(upstream_status_)].add();
  g.stats->duration.record(response_ended_ - t.started);
  t.pool->server_stats->answers.add();
  t.pool->server_stats->latency.add((response_began_ - t.started) / kMicro);
  phase_ = Phase::kAnswered;
  response_deadline_ = body_deadline_ = 0;
  s->release();
}

void Exchange::on_sent(Stream&, std::size_t bytes) {
  to_client_.sent(bytes);
  if (phase_ == Phase::kRespond) response_deadline_ = now() + response_gap();
}

void Exchange::add_sticky_cookie(Head& head) {
  std::string_view value = arena_.concat(
      route_->sticky_cookie, std::string_view("="), group().group->name, std::string_view("; Path=/; Max-Age="),
      number_text(route_->sticky / kSecond, arena_),
      std::string_view(head_.scheme == "https" ? "; HttpOnly; Secure; SameSite=Lax" : "; HttpOnly; SameSite=Lax"));
  head.fields.add(HeaderId::kSetCookie, "set-cookie", value);
}

// Kept alive by the application's cookie where it has one: that one's answer begins the session.
void Exchange::add_server_cookie(const Try& t, Head& head) {
  const GroupRuntime& g = *group().group;
  bool by_app = !g.sticky.app_cookie.empty();
  if (by_app) {
    bool begins = false;
    for (const Field& f : head.fields) {
      if (f.id != HeaderId::kSetCookie || f.removed) continue;
      std::string_view name = f.value().substr(0, f.value().find('='));
      begins |= name == g.sticky.app_cookie;
    }
    if (!begins) return;
  }
  std::string_view age =
      by_app ? std::string_view()
             : arena_.concat(std::string_view("; Max-Age="), number_text(g.sticky.max_age / kSecond, arena_));
  std::string_view value = arena_.concat(
      g.sticky.cookie, std::string_view("="), g.servers[static_cast<std::size_t>(t.candidate)].sticky_value,
      std::string_view("; Path=/"), age,
      std::string_view(head_.scheme == "https" ? "; HttpOnly; Secure; SameSite=Lax" : "; HttpOnly; SameSite=Lax"));
  head.fields.add(HeaderId::kSetCookie, "set-cookie", value);
}

// ---- our own answers ----

void Exchange::answer(const Error& error) {
  const CauseInfo& why = info(error.cause);
  if (termination_ == Cause::kNone) termination_ = error.cause;
  if (error.cause == Cause::kResponseTimeout && attempts_ > 0) judge(primary(), true);
  cancel_tries();
  if (phase_ == Phase::kAnswered) return;
  if (down_->head_sent() && grpc_ && client_connection_->can().late_status && !down_->out_done()) return grpc_end(error);
  if (down_->head_sent()) {
    // Too late for words: the client must see that it was cut.
    Stream* s = down_;
    down_ = nullptr;
    s->reset();
    return finish();
  }
  std::uint16_t status = why.status == 0 ? 500 : why.status;
  if (grpc_) return grpc_answer(why, error.detail);
  Head h;
  h.fields = Fields(arena_);
  h.status = status;
  std::string_view detail = error.detail != nullptr ? std::string_view(error.detail) : why.detail;
  std::string_view body;
  if (prefers_json(head_)) {
    h.fields.add(HeaderId::kContentType, "content-type", "application/json");
    body = arena_.concat(std::string_view("{\"status\":"), number_text(status, arena_),
                         std::string_view(",\"cause\":\""), why.name, std::string_view("\",\"detail\":\""), detail,
                         std::string_view("\",\"request_id\":\""), request_id_, std::string_view("\"}\n"));
  } else {
    h.fields.add(HeaderId::kContentType, "content-type", "text/plain; charset=utf-8");
    body = arena_.concat(number_text(status, arena_), std::string_view(" "), reason_phrase(status),
                         std::string_view("\n"), why.name, std::string_view(": "), detail, std::string_view("\n"),
                         std::string_view(request_id_.empty() ? "" : "request id: "), request_id_,
                         std::string_view(request_id_.empty() ? "" : "\n"));
  }
  if (status == 503) h.fields.add(HeaderId::kRetryAfter, "retry-after", "1");
  answer(h, body);
}

void Exchange::answer(Head& head, std::string_view body) {
  status_ = head.status;
  head.fields.add(HeaderId::kDate, "date", arena_.copy(worker_.date()));
  bool bodyless = head.status == 204 || head.status == 304;
  bool to_head = head_.method == Method::kHead;
  bool trailers_only = grpc_ && body.empty() && client_connection_->can().late_status;
  if (!bodyless && !trailers_only) head.body = {BodyLength::Kind::kLength, body.size()};
  if (to_head && !bodyless) {
    head.body = {};
    head.declared_length = static_cast<std::int64_t>(body.size());
  }
  head.version = head_.version;
  head.keep_alive = keep_client();
  bool end = bodyless || to_head || body.empty();
  phase_ = Phase::kAnswered;
  body_deadline_ = response_deadline_ = 0;
  down_->send_head(head, end);
  if (end) return;
  body_sent_ = body.size();
  down_->send_data(body);
  down_->send_end(nullptr);
}

// Trailers-only: a gRPC client reads the status from the fields of an answer without a body.
void Exchange::grpc_answer(const CauseInfo& why, const char* detail) {
  Head h;
  h.fields = grpc_status_fields(why, detail);
  h.status = 200;
  h.fields.add(HeaderId::kContentType, "content-type", "application/grpc");
  answer(h, {});
}

Fields Exchange::grpc_status_fields(const CauseInfo& why, const char* detail) {
  Fields f(arena_);
  grpc_status_ = number_text(why.grpc_status, arena_);
  f.add(HeaderId::kGrpcStatus, "grpc-status", grpc_status_);
  f.add(HeaderId::kGrpcMessage, "grpc-message", detail != nullptr ? std::string_view(detail) : why.detail);
  return f;
}

// The head has gone: the status can still follow in the trailers, and a gRPC client reads it there.
void Exchange::grpc_end(const Error& error) {
  Fields trailers = grpc_status_fields(info(error.cause), error.detail);
  to_server_.detach();
  phase_ = Phase::kAnswered;
  response_ended_ = now();
  body_deadline_ = response_deadline_ = 0;
  down_->send_end(&trailers);
}

}  // namespace albatross
