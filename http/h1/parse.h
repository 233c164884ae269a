// Parses the heads of HTTP/1.x messages, strictly (RFC 9112 §2 to §5). Pure functions; the rows that they fill hold
// views into the input.
//
// Lines end in CRLF and nothing else. Names are tokens directly before the colon. Values have no CTL except HTAB. A
// folded line, a line without a colon and an empty name are refused. Nothing is repaired.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "http/head.h"

namespace albatross {

// A head that exceeds one of these is refused. The defaults apply to messages of servers; a listener's are configured.
struct HeadLimits {
  std::uint32_t head = 32 * 1024;    // bytes of start line and fields
  std::uint32_t target = 16 * 1024;  // bytes of the request target
  std::uint32_t fields = 100;        // at most kMaxFields
  bool repeated_chunked = false;     // a response may name the chunked coding more than once
};

constexpr std::uint32_t kMaxFields = 1000;

// Room for any head: some 24 KiB, so a thread keeps one.
struct ParsedHead {
  Head head;  // views into the input; head.fields is empty, the rows are here
  std::uint32_t count = 0;
  Field rows[kMaxFields];
};

enum class ParseState : std::uint8_t { kComplete, kIncomplete, kRefused };

struct ParseResult {
  ParseState state = ParseState::kIncomplete;
  std::size_t size = 0;          // kComplete: bytes of the head, the empty line included
  Cause cause = Cause::kNone;    // kRefused
  const char* detail = nullptr;  // kRefused: a literal that says more
};

// Parses a request head from the start of `bytes`, and applies http/framing. kIncomplete: call again with more bytes.
ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, ParsedHead& out);
// The same for the head of a response to a request with that method. `upgrade`: a 101 is expected.
ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, Method request, bool upgrade,
                                ParsedHead& out);
// Parses a trailer section with its empty line (RFC 9112 §7.1.2), and applies strip_trailers().
ParseResult parse_trailers(std::string_view bytes, const HeadLimits& limits, ParsedHead& out);

// Whether the text may be a field value: it has no CTL except HTAB (RFC 9110 §5.5).
bool is_field_value(std::string_view text);

}  // namespace albatross
