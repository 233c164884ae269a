// The parts of gRPC over HTTP/2 that the proxy reads: which requests are calls, and how long their clients wait. Pure
// functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "http/head.h"

namespace albatross {

// Whether the Content-Type is application/grpc, perhaps followed by "+proto" or parameters.
bool is_grpc(const Head& request);

// Reads a grpc-timeout: one to eight digits and a unit (H, M, S, m, u or n). nullopt if the text is not a timeout. The
// result is at most a century.
std::optional<Nanos> parse_grpc_timeout(std::string_view text);

inline constexpr std::size_t kGrpcTimeoutSize = 10;
// Writes a timeout in the finest unit in which it fits. `out` has room for kGrpcTimeoutSize bytes; returns the size.
std::size_t write_grpc_timeout(Nanos timeout, char* out);

}  // namespace albatross
