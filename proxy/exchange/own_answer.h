// The proxy's own answers (PRODUCT §4): a short text that names the cause and the request id, JSON if the client
// prefers it, trailers-only to a gRPC client. Free functions; everything made lives in the arena.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "base/error.h"
#include "http/head.h"

namespace albatross {

struct OwnAnswer {
  Head head;
  std::string_view body;
};

OwnAnswer own_answer(const Error& error, const Head& request, std::string_view request_id, Arena& arena);

// grpc-status and grpc-message of a cause; `status` gets the former's text.
Fields grpc_status_fields(const Error& error, Arena& arena, std::string_view& status);
OwnAnswer own_grpc_answer(const Error& error, Arena& arena, std::string_view& status);

// Fields and framing that depend on the request, the client's connection and the clock. `trailers_only`: a gRPC answer
// whose head is all.
void complete_own_head(Head& head, std::size_t body, const Head& request, bool trailers_only, std::string_view date);

std::string_view number_text(std::uint64_t n, Arena& arena);

}  // namespace albatross
