// The answer: response act, send back, and our own answers.
#include "proxy/exchange/admission.h"
#include "proxy/exchange/exchange.h"

namespace albatross {

// Whether the client's connection may carry another request after this answer.
bool Exchange::keep_client() const {
  return r_.head.keep_alive && !r_.client->draining() && r_.services.overload() == OverloadLevel::kNone;
}

// Whether the rest of the request's body is being sent and so short that the connection can read it and be kept.
bool Exchange::rest_is_small() const {
  constexpr std::uint64_t kSmall = 64 * 1024;
  const BodyLength& body = r_.head.body;
  const bool small = body.kind == BodyLength::Kind::kChunked || body.length - r_.body.received() <= kSmall;
  return small && !r_.head.expect_continue && !r_.head.upgrade;
}

void Exchange::on_response_head(Head& head, bool end) {
  if (head.status == 101) return upgrade(head);
  if (head.status < 200) return informational(head);
  // RFC 8441 §5: over HTTP/2 a 2xx would open the tunnel.
  if (r_.head.upgrade && r_.client->can().extended_connect && head.status < 300) {
    return answer(upstream_error(Cause::kUpstreamMalformed, RetrySafety::kNever, "the server did not upgrade"));
  }
  if (server_.may_ask_another(head.status)) {
    server_.answered(head.status);
    r_.account.try_failed(number_text(head.status, r_.arena), r_.arena);
    return server_.ask_another();
  }
  r_.phase = Phase::kRespond;
  r_.account.upstream_status = r_.account.status = head.status;
  r_.account.head_came = r_.now();
  r_.account.grpc_status = head.fields.value(HeaderId::kGrpcStatus);
  r_.body.set_replayable(false);
  to_client_.attach(*server_.stream());
  server_.respond(*route_, head);
  const bool unavailable = r_.grpc && r_.account.grpc_status == "14";
  server_.judge(server_.group()->settings().fails(head.status) || unavailable);
  const bool old_client = r_.head.version == Version::kHttp10;
  const bool bodyless = r_.head.method == Method::kHead || head.status == 204 || head.status == 304;
  if (head.body.kind == BodyLength::Kind::kUntilClose && !bodyless) {
    head.body.kind = old_client ? BodyLength::Kind::kUntilClose : BodyLength::Kind::kChunked;
  } else if (head.body.kind == BodyLength::Kind::kChunked && old_client) {
    head.body.kind = BodyLength::Kind::kUntilClose;
  }
  head.version = r_.head.version;
  head.keep_alive = keep_client() && r_.body.whole() && head.body.kind != BodyLength::Kind::kUntilClose;
  if (r_.explained) head.fields.add(HeaderId::kOther, "x-albatross-explain", explanation(r_.account, r_.arena));
  r_.deadlines.one_try = 0;
  r_.deadlines.body = 0;  // from here on, bytes of either direction extend the response deadline
  r_.down->send_head(head, end);
  if (end) return response_done();
  set_deadlines();
  detach();
}

// Passes on a 103, and a 100 to a client that asked for it. HTTP/1.0 clients get neither.
void Exchange::informational(const Head& head) {
  bool wanted = head.status == 103 || (head.status == 100 && r_.head.expect_continue);
  if (!wanted || r_.head.version == Version::kHttp10 || r_.down->head_sent()) return;
  Head copy = head;
  copy.version = r_.head.version;
  r_.down->send_head(copy, false);
}

void Exchange::on_response_data(std::string_view data) {
  if (r_.phase == Phase::kTunnel) return pass(false, data);
  if (r_.phase != Phase::kRespond) return;
  r_.account.body_sent += data.size();
  // The gap counts from here, or from when the client has taken what was sent (on_sent).
  r_.deadlines.response = r_.now() + server_.response_gap();
  if (r_.head.method == Method::kHead) return server_.stream()->consume(data.size());
  to_client_.data(*r_.down, data);
}

void Exchange::on_response_end(Fields* trailers) {
  if (r_.phase == Phase::kTunnel) {
    r_.down->send_end(nullptr);
    return;
  }
  if (trailers != nullptr) {
    if (const Field* f = trailers->find(HeaderId::kGrpcStatus)) r_.account.grpc_status = f->value();
  }
  r_.down->send_end(trailers);
  response_done();
}

void Exchange::response_done() {
  r_.account.response_ended = r_.now();
  to_client_.detach();
  r_.body.detach();
  r_.phase = Phase::kAnswered;
  r_.deadlines.answered();
  server_.respond_whole(left());
}

// ---- our own answers ----

void Exchange::answer(const Error& error) {
  r_.account.ended_by(error.cause, error);
  if (error.source == Source::kDownstream && !r_.body.whole()) r_.head.keep_alive = false;
  if (error.cause == Cause::kResponseTimeout && server_.tried()) server_.judge(true);
  cancel_server();
  if (r_.phase == Phase::kAnswered) return;
  const bool late_status = r_.grpc && r_.client->can().late_status;
  if (!r_.down->head_sent()) {
    if (r_.grpc) return answer(own_grpc_answer(error, r_.arena, r_.account.grpc_status));
    return answer(own_answer(error, r_.head, r_.account.request_id, pages(), r_.arena));
  }
  if (!late_status || r_.down->out_done()) return drop_client();  // too late to say why
  // A gRPC client reads the status in the trailers, which can still follow.
  Fields trailers = grpc_status_fields(error, r_.arena, r_.account.grpc_status);
  r_.body.detach();
  r_.phase = Phase::kAnswered;
  r_.account.response_ended = r_.now();
  r_.deadlines.answered();
  r_.down->send_end(&trailers);
}

std::span<const ErrorPage> Exchange::pages() const {
  return view_ != nullptr ? std::span(view_->listener->error_pages) : std::span<const ErrorPage>();
}

void Exchange::answer(OwnAnswer own) {
  const bool trailers_only = r_.grpc && own.body.empty() && r_.client->can().late_status;
  r_.account.status = own.head.status;
  complete_own_head(own.head, own.body.size(), r_.head, trailers_only,
                    r_.arena.copy(r_.services.date.text(r_.services.loop.wall())));
  if (r_.explained) own.head.fields.add(HeaderId::kOther, "x-albatross-explain", explanation(r_.account, r_.arena));
  own.head.keep_alive = keep_client() && (r_.body.whole() || rest_is_small());
  const bool bodyless = own.head.status == 204 || own.head.status == 304 || r_.head.method == Method::kHead;
  const bool end = bodyless || own.body.empty();
  r_.phase = Phase::kAnswered;
  r_.deadlines.answered();
  r_.down->send_head(own.head, end);
  if (end) return;
  r_.account.body_sent = own.body.size();
  r_.down->send_data(own.body);
  r_.down->send_end(nullptr);
}

}  // namespace albatross
