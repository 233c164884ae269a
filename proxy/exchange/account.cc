#include "proxy/exchange/account.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "tls/tls_info.h"

namespace albatross {
namespace {

std::string_view version_text(Version v) {
  return v == Version::kHttp10 ? "HTTP/1.0" : v == Version::kHttp11 ? "HTTP/1.1" : "HTTP/2.0";
}

// A status that is not a number is UNKNOWN, as for gRPC clients; -1 if there is none.
std::int16_t grpc_status_number(std::string_view text) {
  constexpr std::int16_t kUnknown = 2;
  if (text.empty()) return -1;
  std::int16_t n = kUnknown;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc{} && end == text.data() + text.size() && n >= 0 ? n : kUnknown;
}

}  // namespace

void Account::try_failed(std::string_view why, Arena& arena) {
  const std::string_view comma = failed_tries.empty() ? "" : ", ";
  failed_tries = arena.concat(failed_tries, comma, upstream, std::string_view(" "), why);
}

void Account::own(Arena& arena) {
  for (std::string_view* text : {&listener, &rule, &group}) *text = arena.copy(*text);
}

Outcome outcome(const Account& a, bool grpc) {
  const bool of_servers = a.termination >= Cause::kConnectRefused;
  switch (a.termination) {
    case Cause::kNone:
    case Cause::kClientLeft:
    case Cause::kNotImplemented:
    case Cause::kNoServer:
    case Cause::kOverLimit:
    case Cause::kQueueTimeout:
    case Cause::kCircuitOpen:
    case Cause::kNoPorts:
    case Cause::kTotalTimeout: break;
    default:
      if (!of_servers) return Outcome::kNone;
  }
  if (of_servers || a.termination == Cause::kTotalTimeout || a.status >= 500) return Outcome::kFailed;
  if (!grpc) return Outcome::kGood;
  // What RFC 9110 would call 5xx: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
  static constexpr std::string_view kFailures[] = {"2", "4", "12", "13", "14", "15"};
  return std::find(std::begin(kFailures), std::end(kFailures), a.grpc_status) == std::end(kFailures) ? Outcome::kGood
                                                                                                     : Outcome::kFailed;
}

std::size_t grpc_status_index(std::string_view text) {
  const std::int16_t n = grpc_status_number(text);
  return n >= 0 && n < static_cast<std::int16_t>(kGrpcStatuses - 1) ? static_cast<std::size_t>(n) : kGrpcStatuses - 1;
}

namespace {

// The detailed reason of the termination, if one is known.
std::string_view detail_of(const Account& a) {
  if (a.detail != nullptr) return a.detail;
  const char* text = a.system != 0 ? strerrordesc_np(a.system) : nullptr;
  return text != nullptr ? text : "";
}

}  // namespace

void write_log(Services& services, const Account& a, const Head& request, Connection& client, Nanos now) {
  LogRecord r;
  r.wall = a.began_wall;
  r.request_time = now - a.began;
  r.status = a.status;
  r.client_port = client.info().client_port;
  r.body_bytes_sent = a.body_sent;
  r.request_length = request.wire_size + a.body_received;
  r.attempts = a.attempts;
  r.grpc_status = grpc_status_number(a.grpc_status);
  r.has_upstream = a.has_upstream;
  if (r.has_upstream) {
    r.upstream_status = a.upstream_status;
    r.upstream_connect_time = a.connect_time;
    if (a.head_came != 0) r.upstream_header_time = a.head_came - a.try_began;
    r.upstream_response_time = (a.response_ended != 0 ? a.response_ended : now) - a.try_began;
  }
  std::string_view texts[static_cast<std::size_t>(LogText::kCount)];
  auto set = [&texts](LogText t, std::string_view v) { texts[static_cast<std::size_t>(t)] = v; };
  set(LogText::kMethod, request.method_text);
  set(LogText::kUri, request.target);
  set(LogText::kHost, a.host);
  set(LogText::kClientIp, a.client);
  set(LogText::kScheme, client.info().secure ? "https" : "http");
  if (!request.method_text.empty()) set(LogText::kProtocol, version_text(request.version));
  set(LogText::kUpstreamAddr, a.upstream);
  set(LogText::kUserAgent, request.fields.value(HeaderId::kUserAgent));
  set(LogText::kReferer, request.fields.value(HeaderId::kReferer));
  set(LogText::kForwardedFor, a.forwarded_for);
  set(LogText::kListener, a.listener);
  set(LogText::kRule, a.rule);
  set(LogText::kGroup, a.group);
  set(LogText::kTermination, info(a.termination).name);
  set(LogText::kTerminationDetail, detail_of(a));
  set(LogText::kFailedTries, a.failed_tries);
  set(LogText::kRequestId, a.request_id);
  set(LogText::kTraceId, a.trace_id);
  if (const TlsInfo* tls = client.tls()) {
    set(LogText::kSslProtocol, tls->protocol);
    set(LogText::kSslCipher, tls->cipher);
  }
  services.log().write(services.index(), r, texts);
}

}  // namespace albatross
