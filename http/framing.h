// What a message's fields mean for this hop: which host it is for (RFC 9112 §3.2), how long its body is (RFC 9112
// §6), and which fields end here (RFC 9110 §7.6). All codecs and both roles use these functions, which are pure and
// work on parsed rows.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/text.h"
#include "http/head.h"

namespace albatross {

// Why a message is refused.
struct Refusal {
  Cause cause = Cause::kNone;    // kNone: it is not
  const char* detail = nullptr;  // a literal that says more, or null
};

// Fills the head's authority, path, query, body, keep_alive, expect_continue and upgrade from an HTTP/1.x request whose
// start line has been parsed. Marks as removed: hop-by-hop fields and the fields that Connection names (never Host or
// those that frame the body).
Refusal apply_request_rules(Head& head, Field* rows, std::uint32_t count);

// The same for an HTTP/1.x response to a request with that method. A response to HEAD, a 1xx, a 204 and a 304 have no
// body whatever they declare (RFC 9112 §6.3). `awaits_upgrade`: the request asked for websocket, so that a 101 is
// allowed. `repeated_chunked`: one that names the chunked coding more than once is read as if it did so once.
Refusal apply_response_rules(Head& head, Method request, bool awaits_upgrade, Field* rows, std::uint32_t count,
                             bool repeated_chunked = false);

// The same for an HTTP/2 request (RFC 9113 §8.2, §8.3) that has passed HPACK and the checks of nghttp2. The head's
// method_text, scheme, target and authority hold the pseudo-fields. A request that an HTTP/1.1 server could read as
// something else is refused. `protocol`: of an extended CONNECT (RFC 8441), else empty. `end`: no body follows.
Refusal apply_h2_request_rules(Head& head, std::string_view protocol, bool end, Field* rows, std::uint32_t count);
// The same for an HTTP/2 response, whose status is set. `to_head`: it answers a HEAD.
Refusal apply_h2_response_rules(Head& head, bool to_head, bool end, Field* rows, std::uint32_t count);

// Marks the rows that are not allowed in a trailer section as removed (RFC 9110 §6.5.1, http/header_properties.h), and
// those that a server could take for one of them (http/underscores.h).
void strip_trailers(Field* rows, std::uint32_t count);

// Reads 1*DIGIT up to 2^63 - 1 (RFC 9110 §8.6). False if the text is anything else.
bool parse_length(std::string_view text, std::uint64_t& out);

// Calls f(element) for each element of a comma-separated list, trimmed; empty ones are skipped (RFC 9110 §5.6.1).
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
