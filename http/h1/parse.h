// HTTP/1.x heads from bytes, strictly (RFC 9112 §2-§5). Pure functions; the rows they fill hold views into the input.
//
// Lines end in CRLF and nothing else. Names are tokens directly before the colon. Values have no CTL but HTAB. A folded
// line, a line without a colon, an empty name: refused. What is refused is never repaired.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "http/head.h"

namespace albatross {

struct HeadLimits {
  std::uint32_t head = 32 * 1024;    // bytes of start line and fields
  std::uint32_t target = 16 * 1024;  // bytes
  std::uint32_t fields = 100;
};

constexpr std::uint32_t kMaxFields = 1000;

struct ParsedHead {
  Head head;  // views into the input; head.fields empty, the rows are here
  std::uint32_t count = 0;
  Field rows[kMaxFields];
};

enum class ParseState : std::uint8_t { kComplete, kIncomplete, kRefused };

struct ParseResult {
  ParseState state = ParseState::kIncomplete;
  std::size_t size = 0;  // kComplete: bytes of the head, with the empty line
  Cause cause = Cause::kNone;
  const char* detail = nullptr;
};

// A request head: start line and fields, Host and framing rules applied, hop-by-hop fields marked removed.
ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, ParsedHead& out);
// A response head. `request` is the method it answers; `upgrade` that a 101 is awaited.
ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, Method request, bool upgrade,
                                ParsedHead& out);
// A trailer section with its empty line; names that frame, route or authenticate are marked removed (RFC 9110 §6.5.1).
ParseResult parse_trailers(std::string_view bytes, const HeadLimits& limits, ParsedHead& out);

// No NUL, CR, LF or other CTL but HTAB.
bool is_field_value(std::string_view text);

}  // namespace albatross
