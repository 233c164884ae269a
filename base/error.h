// What went wrong, on which side, and whether the request may be sent again. One table maps a cause to the status, the
// grpc-status and the name that the access log shows as `termination`. A small value that owns nothing; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace albatross {

// The side that failed: the client, the server, or the proxy itself.
enum class Source : std::uint8_t { kDownstream, kUpstream, kInternal };

// Whether the request may be sent to a server again.
enum class RetrySafety : std::uint8_t {
  kSafe,          // the server executed no part of it
  kRefused,       // the same, because the server is busy and said so: prefer another one
  kOnlyIfReused,  // if none of it was written, or the connection had served before and the method is idempotent
  kNever,         // it may have been executed, or the client is gone
};

enum class Cause : std::uint8_t {
  kNone,
  // Downstream.
  kMalformedRequest,
  kTargetTooLong,
  kHeadTooLarge,
  kBodyTooLarge,
  kHeadTimeout,
  kBodyTimeout,
  kClientLeft,
  kSendTimeout,
  kTunnelTimeout,
  kIdle,
  kHandshakeFailed,
  kClearText,
  kExpectationFailed,
  kMisdirected,
  kUnsupportedVersion,
  kNotImplemented,
  kLoop,
  kProtocolError,
  kFlood,
  // Ours.
  kNoRule,
  kBadPath,
  kNoServer,
  kOverLimit,
  kQueueTimeout,
  kCircuitOpen,
  kNoPorts,
  kOverload,
  kDrainCut,
  kTotalTimeout,
  kInternal,
  // Upstream.
  kConnectRefused,
  kConnectFailed,
  kConnectTimeout,
  kUpstreamTls,
  kUpstreamClosed,
  kUpstreamReset,
  kUpstreamMalformed,
  kUpstreamTruncated,
  kResponseTimeout,
  kCount,
};

struct CauseInfo {
  std::string_view name;    // the access log's termination
  std::string_view detail;  // one sentence for a person
  std::uint16_t status;     // of our own answer; 0: none is sent
  std::uint8_t grpc_status;
};
// Lives as long as the program. For kNone all members are empty or 0.
const CauseInfo& info(Cause cause);

struct Error {
  Cause cause = Cause::kNone;
  Source source = Source::kInternal;
  RetrySafety retry = RetrySafety::kNever;
  int system = 0;                // errno, or 0
  const char* detail = nullptr;  // a literal that says more, or null
};

// `system` is an errno or 0; `detail` is a literal or null. An error of the client's or our side is not retried.
constexpr Error downstream_error(Cause cause, const char* detail = nullptr, int system = 0) {
  return {cause, Source::kDownstream, RetrySafety::kNever, system, detail};
}
constexpr Error internal_error(Cause cause, const char* detail = nullptr, int system = 0) {
  return {cause, Source::kInternal, RetrySafety::kNever, system, detail};
}
constexpr Error upstream_error(Cause cause, RetrySafety retry, const char* detail = nullptr, int system = 0) {
  return {cause, Source::kUpstream, retry, system, detail};
}

// A value or an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::move(value)) {}
  Result(Error error) : v_(error) {}
  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  // The value, only if ok(); error() only if not.
  T& operator*() { return std::get<0>(v_); }
  const T& operator*() const { return std::get<0>(v_); }
  T* operator->() { return &std::get<0>(v_); }
  const Error& error() const { return std::get<1>(v_); }

 private:
  std::variant<T, Error> v_;
};

}  // namespace albatross
