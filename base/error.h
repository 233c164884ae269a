// What went wrong, whose fault it was, and whether trying again is safe. One table maps a cause to the status, the
// grpc-status and the name that the access log's `termination` shows. Small, trivially copyable, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace albatross {

enum class Source : std::uint8_t { kDownstream, kUpstream, kInternal };

// kSafe: nothing of the request was executed. kRefused: nor here, by a server that has enough to do. kOnlyIfReused:
// safe if the connection had served before and the method is idempotent, or nothing of the request was written. kNever:
// it may have been executed, or the client is gone.
enum class RetrySafety : std::uint8_t { kSafe, kRefused, kOnlyIfReused, kNever };

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
const CauseInfo& info(Cause cause);

struct Error {
  Cause cause = Cause::kNone;
  Source source = Source::kInternal;
  RetrySafety retry = RetrySafety::kNever;
  int system = 0;                // errno, or 0
  const char* detail = nullptr;  // a literal that says more, or null
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::move(value)) {}
  Result(Error error) : v_(error) {}
  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() { return std::get<0>(v_); }
  const T& operator*() const { return std::get<0>(v_); }
  T* operator->() { return &std::get<0>(v_); }
  const Error& error() const { return std::get<1>(v_); }

 private:
  std::variant<T, Error> v_;
};

}  // namespace albatross
