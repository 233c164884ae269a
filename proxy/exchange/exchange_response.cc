// Response act, send back, and the answers that are ours (PRODUCT §4).
#include "proxy/exchange/choice.h"
#include "proxy/exchange/exchange.h"
#include "proxy/upstream/group.h"

namespace albatross {

// May the client's connection carry another request after this answer?
bool Exchange::keep_client() const {
  return head_.keep_alive && body_.whole() && !client_->draining() && services_.overload() == OverloadLevel::kNone;
}

void Exchange::on_response_head(Head& head, bool end) {
  if (head.status == 101) return upgrade(head);
  if (head.status < 200) return informational(head);
  // RFC 8441 §5: there a 2xx is what opens the tunnel.
  if (head_.upgrade && client_->can().extended_connect && head.status < 300) {
    return answer(upstream_error(Cause::kUpstreamMalformed, RetrySafety::kNever, "the server did not upgrade"));
  }
  if (may_ask_another(head.status)) {
    group().stats().requests[status_class(head.status)].add();
    return ask_another();
  }
  phase_ = Phase::kRespond;
  try_.lease.answered();
  account_.upstream_status = account_.status = head.status;
  account_.grpc_status = head.fields.value(HeaderId::kGrpcStatus);
  body_.set_replayable(false);
  to_client_.attach(*try_.stream());
  judge((head.status >= 502 && head.status <= 504) || (grpc_ && account_.grpc_status == "14"));
  const GroupRuntime& g = group().settings();
  const int candidate = try_.lease.server().candidate;
  const bool secure = head_.scheme == "https";
  if (set_cookie_) add_group_cookie(*route_, g.name, secure, arena_, head);
  if (!g.sticky.cookie.empty() && candidate >= 0 && &try_.lease.slot() != wanted_) {
    add_server_cookie(g, candidate, secure, arena_, head);
  }
  const bool old_client = head_.version == Version::kHttp10;
  const bool bodyless = head_.method == Method::kHead || head.status == 204 || head.status == 304;
  if (head.body.kind == BodyLength::Kind::kUntilClose && !bodyless) {
    head.body.kind = old_client ? BodyLength::Kind::kUntilClose : BodyLength::Kind::kChunked;
  } else if (head.body.kind == BodyLength::Kind::kChunked && old_client) {
    head.body.kind = BodyLength::Kind::kUntilClose;
  }
  head.version = head_.version;
  head.keep_alive = keep_client() && head.body.kind != BodyLength::Kind::kUntilClose;
  deadlines_.one_try = 0;
  deadlines_.body = 0;  // from here on either direction's bytes count
  down_->send_head(head, end);
  if (end) return response_done();
  set_deadlines();
  detach();
}

// 103 goes to clients that can take it, 100 to one that asked, nothing else.
void Exchange::informational(const Head& head) {
  bool wanted = head.status == 103 || (head.status == 100 && head_.expect_continue);
  if (!wanted || head_.version == Version::kHttp10 || down_->head_sent()) return;
  Head copy = head;
  copy.version = head_.version;
  down_->send_head(copy, false);
}

void Exchange::on_response_data(std::string_view data) {
  if (phase_ == Phase::kTunnel) return pass(false, data);
  if (phase_ != Phase::kRespond) return;
  account_.body_sent += data.size();
  // A gap counts from here, or from when the client took what it has (on_sent).
  deadlines_.response = now() + response_gap();
  if (head_.method == Method::kHead) return try_.stream()->consume(data.size());
  to_client_.data(*down_, data);
}

void Exchange::on_response_end(Fields* trailers) {
  if (phase_ == Phase::kTunnel) {
    down_->send_end(nullptr);
    return;
  }
  if (trailers != nullptr) {
    if (const Field* f = trailers->find(HeaderId::kGrpcStatus)) account_.grpc_status = f->value();
  }
  down_->send_end(trailers);
  response_done();
}

void Exchange::response_done() {
  account_.response_ended = now();
  to_client_.detach();
  body_.detach();
  phase_ = Phase::kAnswered;
  deadlines_.answered();
  try_.lease.finished(account_.upstream_status);
  try_.lease.release(left());
  try_.finish();
}

// ---- our own answers ----

void Exchange::answer(const Error& error) {
  account_.ended_by(error.cause);
  if (error.cause == Cause::kResponseTimeout && attempts_ > 0) judge(true);
  cancel_try();
  if (phase_ == Phase::kAnswered) return;
  const bool late_status = grpc_ && client_->can().late_status;
  if (!down_->head_sent()) {
    return answer(grpc_ ? own_grpc_answer(error, arena_, account_.grpc_status)
                        : own_answer(error, head_, account_.request_id, arena_));
  }
  if (!late_status || down_->out_done()) return drop_client();  // too late for words
  // The status can still follow in the trailers, and a gRPC client reads it there.
  Fields trailers = grpc_status_fields(error, arena_, account_.grpc_status);
  body_.detach();
  phase_ = Phase::kAnswered;
  account_.response_ended = now();
  deadlines_.answered();
  down_->send_end(&trailers);
}

void Exchange::answer(OwnAnswer own) {
  const bool trailers_only = grpc_ && own.body.empty() && client_->can().late_status;
  account_.status = own.head.status;
  complete_own_head(own.head, own.body.size(), head_, trailers_only,
                    arena_.copy(services_.date.text(services_.loop.wall())));
  own.head.keep_alive = keep_client();
  const bool bodyless = own.head.status == 204 || own.head.status == 304 || head_.method == Method::kHead;
  const bool end = bodyless || own.body.empty();
  phase_ = Phase::kAnswered;
  deadlines_.answered();
  down_->send_head(own.head, end);
  if (end) return;
  account_.body_sent = own.body.size();
  down_->send_data(own.body);
  down_->send_end(nullptr);
}

}  // namespace albatross
