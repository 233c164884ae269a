// The rules of RFC 9112 §3.2, §6 and §7.6 of RFC 9110: who the message is for, how long it is, which fields end here.
// The only copy: both roles and every codec that meets HTTP/1 semantics come here. Pure functions over parsed rows.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/text.h"
#include "http/head.h"

namespace albatross {

struct Refusal {
  Cause cause = Cause::kNone;  // kNone: fine
  const char* detail = nullptr;
};

// Fills authority, path, query, body, keep_alive, expect_continue and upgrade; marks removed: hop-by-hop fields, those
// that Connection nominates (never Host or framing), and names with an underscore, which some servers read as a hyphen.
Refusal apply_request_rules(Head& head, Field* rows, std::uint32_t count);

// The same for a response. HEAD, 1xx, 204 and 304 have no body whatever they declare.
Refusal apply_response_rules(Head& head, Method request, bool awaits_upgrade, Field* rows, std::uint32_t count);

// A request that came as HTTP/2 (RFC 9113 §8.2, §8.3), after HPACK and the checks of its own layer: method_text,
// scheme, target and authority hold the pseudo-fields. Stricter where an HTTP/1.1 server would read something else.
// `protocol`: of an extended CONNECT (RFC 8441), else empty. `end`: no body follows.
Refusal apply_h2_request_rules(Head& head, std::string_view protocol, bool end, Field* rows, std::uint32_t count);
Refusal apply_h2_response_rules(Head& head, bool to_head, bool end, Field* rows, std::uint32_t count);

// RFC 9110 §6.5.1.
void strip_trailers(Field* rows, std::uint32_t count);

// "1*DIGIT" without overflow; false otherwise.
bool parse_length(std::string_view text, std::uint64_t& out);

// Calls f(token) for each element of a comma-separated list, trimmed, empty ones skipped (RFC 9110 §5.6.1).
template <class F>
void for_each_token(std::string_view list, F f) {
  while (!list.empty()) {
    std::size_t comma = list.find(',');
    std::string_view t = trim_blanks(list.substr(0, comma));
    if (!t.empty()) f(t);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace albatross
