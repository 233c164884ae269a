#include "http/h1/parse.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <cstring>

#include "base/text.h"
#include "http/framing.h"
#include "http/uri.h"

namespace albatross {
namespace {

// The first byte that is a CTL (HTAB included) or DEL.
const char* find_control(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i limit = _mm_set1_epi8(0x1f);
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - p >= 16; p += 16) {
    __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(x, limit), x), _mm_cmpeq_epi8(x, del));
    int mask = _mm_movemask_epi8(hit);
    if (mask != 0) return p + std::countr_zero(static_cast<unsigned>(mask));
  }
#endif
  for (; p < end; ++p) {
    if (is_control(*p)) return p;
  }
  return p;
}

ParseResult refuse(Cause cause, const char* detail) { return {ParseState::kRefused, 0, cause, detail}; }
ParseResult malformed(const char* detail) { return refuse(Cause::kMalformedRequest, detail); }

struct Reader {
  const char* p;
  const char* end;
  bool at_end() const { return p == end; }
  // Whether a CRLF is here: 1 yes, 0 more bytes are needed, -1 no.
  int crlf() {
    if (at_end()) return 0;
    if (*p != '\r') return -1;
    if (end - p < 2) return 0;
    if (p[1] != '\n') return -1;
    p += 2;
    return 1;
  }
  // Skips field content: to the first CTL that is not HTAB. False if more bytes are needed to find it.
  bool skip_content() {
    for (;; ++p) {
      p = find_control(p, end);
      if (at_end()) return false;
      if (*p != '\t') return true;
    }
  }
};

// Parses field lines up to and including the empty line.
ParseResult parse_fields(Reader& r, const char* start, const HeadLimits& limits, ParsedHead& out) {
  out.count = 0;
  for (;;) {
    int done = r.crlf();
    if (done > 0) return {ParseState::kComplete, static_cast<std::size_t>(r.p - start), Cause::kNone, nullptr};
    if (done == 0) return {};
    if (*r.p == ' ' || *r.p == '\t') return malformed("a folded field line");
    const char* name = r.p;
    while (r.p < r.end && is_token_byte(*r.p)) ++r.p;
    if (r.at_end()) return {};
    if (*r.p != ':' || r.p == name) return malformed("a field line without a proper name");
    std::size_t name_size = static_cast<std::size_t>(r.p - name);
    if (name_size > 0xffff) return refuse(Cause::kHeadTooLarge, "a field name is too long");
    ++r.p;
    while (r.p < r.end && (*r.p == ' ' || *r.p == '\t')) ++r.p;
    const char* value = r.p;
    if (!r.skip_content()) return {};
    const char* value_end = r.p;
    int eol = r.crlf();
    if (eol == 0) return {};
    if (eol < 0) return malformed("a control character in a field value, or a line that ends without CRLF");
    while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
    if (out.count == limits.fields || out.count == kMaxFields) return refuse(Cause::kHeadTooLarge, "too many fields");
    std::string_view n(name, name_size);
    out.rows[out.count++] =
        Field{name,         value, static_cast<std::uint32_t>(value_end - value), static_cast<std::uint16_t>(name_size),
              header_id(n), false};
  }
}

// "HTTP/1.0" or "HTTP/1.1".
bool parse_version(std::string_view text, Version& out) {
  if (text == "HTTP/1.1") {
    out = Version::kHttp11;
    return true;
  }
  out = Version::kHttp10;
  return text == "HTTP/1.0";
}

bool looks_like_version(std::string_view v) {
  return v.size() == 8 && v.substr(0, 5) == "HTTP/" && is_digit(v[5]) && v[6] == '.' && is_digit(v[7]);
}

ParseResult parse_request_line(Reader& r, const HeadLimits& limits, Head& head) {
  const char* method = r.p;
  while (r.p < r.end && is_token_byte(*r.p)) ++r.p;
  if (r.at_end()) return {};
  if (*r.p != ' ' || r.p == method) return malformed("the request line does not start with a method");
  head.method_text = {method, static_cast<std::size_t>(r.p - method)};
  ++r.p;
  const char* target = r.p;
  // Clients such as curl send a path as it was typed, in UTF-8. RFC 9112 §3.2 wants it escaped, which admission does.
  while (r.p<r.end&& static_cast<unsigned char>(*r.p)> 0x20 && *r.p != 0x7f) ++r.p;
  head.target = {target, static_cast<std::size_t>(r.p - target)};
  if (head.target.size() > limits.target) return refuse(Cause::kTargetTooLong, "the request target is too long");
  if (r.at_end()) return {};
  if (*r.p != ' ' || head.target.empty() || (!is_ascii(head.target) && !is_utf8(head.target))) {
    return malformed("the request target has a character that must be encoded");
  }
  ++r.p;
  const char* version = r.p;
  r.p = find_control(r.p, r.end);
  if (r.at_end()) return r.p - version > 16 ? malformed("the HTTP version is malformed") : ParseResult{};
  std::string_view v(version, static_cast<std::size_t>(r.p - version));
  int eol = r.crlf();
  if (eol == 0) return {};
  if (eol < 0) return malformed("the request line does not end in CRLF");
  if (!parse_version(v, head.version)) {
    return looks_like_version(v) ? refuse(Cause::kUnsupportedVersion, "only HTTP/1.0 and HTTP/1.1 are served here")
                                 : malformed("the HTTP version is malformed");
  }
  return {ParseState::kComplete, 0, Cause::kNone, nullptr};
}

// The bytes are not an HTTP/1 response. Returns what they seem to be.
const char* another_protocol(std::string_view bytes) {
  constexpr char kSettings = 4;  // RFC 9113 §3.4: the first frame of a server
  if (bytes.size() > 3 && bytes[0] == 0 && bytes[3] == kSettings) {
    return "the server speaks HTTP/2, so its group needs protocol h2c, h2, grpc or grpcs";
  }
  constexpr char kAlert = 21, kHandshake = 22;
  if (bytes[0] == kAlert || bytes[0] == kHandshake) return "the server speaks TLS, so its group needs protocol https";
  return "the server does not speak HTTP";
}

bool begins_http1(std::string_view bytes) {
  constexpr std::string_view kStart = "HTTP/1.";
  const std::size_t n = std::min(bytes.size(), kStart.size());
  return bytes.substr(0, n) == kStart.substr(0, n);
}

ParseResult parse_status_line(Reader& r, Head& head) {
  const char* line = r.p;
  if (const std::string_view all(r.p, static_cast<std::size_t>(r.end - r.p)); !begins_http1(all)) {
    return malformed(another_protocol(all));
  }
  if (!r.skip_content()) return {};
  std::string_view s(line, static_cast<std::size_t>(r.p - line));
  int eol = r.crlf();
  if (eol == 0) return {};
  if (eol < 0 || s.size() < 12 || !parse_version(s.substr(0, 8), head.version) || s[8] != ' ' || !is_digit(s[9]) ||
      !is_digit(s[10]) || !is_digit(s[11]) || (s.size() > 12 && s[12] != ' ')) {
    return malformed("the status line is malformed");
  }
  head.status = static_cast<std::uint16_t>((s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0'));
  if (head.status < 100 || head.status > 599) return malformed("the status code is out of range");
  head.reason = s.size() > 13 ? s.substr(13) : std::string_view();
  return {ParseState::kComplete, 0, Cause::kNone, nullptr};
}

// Refuses a head that is too large already, whether it is complete or not.
ParseResult bounded(ParseResult result, std::size_t have, const HeadLimits& limits) {
  std::size_t size = result.state == ParseState::kComplete ? result.size : have;
  if (result.state != ParseState::kRefused && size > limits.head) {
    return refuse(Cause::kHeadTooLarge, "the head is too large");
  }
  return result;
}

}  // namespace

bool is_field_value(std::string_view text) {
  const char* end = text.data() + text.size();
  for (const char* p = text.data();; ++p) {
    p = find_control(p, end);
    if (p == end) return true;
    if (*p != '\t') return false;
  }
}

ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, ParsedHead& out) {
  out.head = Head{};
  Reader r{bytes.data(), bytes.data() + bytes.size()};
  // RFC 9112 §2.2: one empty line before a request is ignored; more are refused.
  if (!bytes.empty() && bytes[0] == '\r' && r.crlf() == 0) return {};
  ParseResult line = parse_request_line(r, limits, out.head);
  if (line.state != ParseState::kComplete) return bounded(line, bytes.size(), limits);
  ParseResult fields = bounded(parse_fields(r, bytes.data(), limits, out), bytes.size(), limits);
  if (fields.state != ParseState::kComplete) return fields;
  out.head.method = method_of(out.head.method_text);
  Refusal why = apply_request_rules(out.head, out.rows, out.count);
  return why.cause == Cause::kNone ? fields : refuse(why.cause, why.detail);
}

ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, Method request, bool upgrade,
                                ParsedHead& out) {
  out.head = Head{};
  Reader r{bytes.data(), bytes.data() + bytes.size()};
  ParseResult line = parse_status_line(r, out.head);
  if (line.state != ParseState::kComplete) return bounded(line, bytes.size(), limits);
  ParseResult fields = bounded(parse_fields(r, bytes.data(), limits, out), bytes.size(), limits);
  if (fields.state != ParseState::kComplete) return fields;
  Refusal why = apply_response_rules(out.head, request, upgrade, out.rows, out.count, limits.repeated_chunked);
  return why.cause == Cause::kNone ? fields : refuse(why.cause, why.detail);
}

ParseResult parse_trailers(std::string_view bytes, const HeadLimits& limits, ParsedHead& out) {
  Reader r{bytes.data(), bytes.data() + bytes.size()};
  ParseResult fields = bounded(parse_fields(r, bytes.data(), limits, out), bytes.size(), limits);
  if (fields.state == ParseState::kComplete) strip_trailers(out.rows, out.count);
  return fields;
}

}  // namespace albatross
