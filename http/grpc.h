// What of gRPC's HTTP/2 protocol the proxy reads: which requests are calls, and how long their clients wait.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "http/head.h"

namespace albatross {

// Content-Type application/grpc, with "+proto" or a parameter behind it.
bool is_grpc(const Head& request);

// `grpc-timeout`: at most eight digits and a unit, H M S m u or n. Nothing if it is not that.
std::optional<Nanos> parse_grpc_timeout(std::string_view text);

inline constexpr std::size_t kGrpcTimeoutSize = 10;
// The finest unit in which it fits. `out` has room for kGrpcTimeoutSize; returns the size.
std::size_t write_grpc_timeout(Nanos timeout, char* out);

}  // namespace albatross
