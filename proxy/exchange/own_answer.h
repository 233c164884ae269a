// The proxy's own answers: a short text that names the cause and the request id, JSON if the client prefers it,
// trailers-only for a gRPC client. Free functions; their results live in the arena. Worker's thread.
#pragma once

#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/error.h"
#include "http/head.h"
#include "proxy/snapshot.h"

namespace albatross {

struct OwnAnswer {
  Head head;
  std::string_view body;
};

// `pages` replace the text, but not the JSON. Their bodies outlive the answer.
OwnAnswer own_answer(const Error& error, const Head& request, std::string_view request_id,
                     std::span<const ErrorPage> pages, Arena& arena);

// The grpc-status and grpc-message of an error; `status` is set to the text of grpc-status.
Fields grpc_status_fields(const Error& error, Arena& arena, std::string_view& status);
OwnAnswer own_grpc_answer(const Error& error, Arena& arena, std::string_view& status);

// Adds the Date field and the framing, which depend on the request. `body`: its size in bytes. `trailers_only`: a gRPC
// answer that consists of its head.
void complete_own_head(Head& head, std::size_t body, const Head& request, bool trailers_only, std::string_view date);

std::string_view number_text(std::uint64_t n, Arena& arena);

}  // namespace albatross
