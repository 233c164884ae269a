#include "http/framing.h"

#include <algorithm>

#include "http/header_properties.h"
#include "http/underscores.h"
#include "http/uri.h"

namespace albatross {
namespace {

Field* only(Field* rows, std::uint32_t count, HeaderId id, int& n) {
  Field* first = nullptr;
  n = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (rows[i].id != id) continue;
    if (n++ == 0) first = &rows[i];
  }
  return first;
}

// The body's length from Content-Length and Transfer-Encoding; kUntilClose if neither is there.
Refusal body_length(Version version, Field* rows, std::uint32_t count, BodyLength& out) {
  int lengths, codings;
  Field* length = only(rows, count, HeaderId::kContentLength, lengths);
  Field* coding = only(rows, count, HeaderId::kTransferEncoding, codings);
  out = {BodyLength::Kind::kUntilClose, 0};
  if (coding != nullptr) {
    if (version == Version::kHttp10) return {Cause::kMalformedRequest, "transfer-encoding in HTTP/1.0"};
    if (length != nullptr) return {Cause::kMalformedRequest, "both content-length and transfer-encoding"};
    if (codings > 1) return {Cause::kMalformedRequest, "more than one transfer-encoding"};
    if (equals_ignore_case(coding->value(), "chunked")) {
      out.kind = BodyLength::Kind::kChunked;
      return {};
    }
    if (coding->value().empty() || equals_ignore_case(coding->value(), "identity")) {
      return {Cause::kMalformedRequest, "a transfer-encoding that RFC 9112 does not have"};
    }
    return {Cause::kNotImplemented, "only the chunked transfer-encoding is implemented"};
  }
  if (length != nullptr) {
    if (lengths > 1) return {Cause::kMalformedRequest, "more than one content-length"};
    if (!parse_length(length->value(), out.length)) return {Cause::kMalformedRequest, "content-length is not a number"};
    out.kind = BodyLength::Kind::kLength;
  }
  return {};
}

struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  std::uint32_t timeout = 0;
};

// `timeout=5, max=100`
std::uint32_t keep_alive_timeout(std::string_view value) {
  std::uint64_t seconds = 0;
  for_each_token(value, [&](std::string_view t) {
    if (t.size() > 8 && equals_ignore_case(t.substr(0, 8), "timeout=") && !parse_length(t.substr(8), seconds))
      seconds = 0;
  });
  return static_cast<std::uint32_t>(seconds < 86400 ? seconds : 86400);
}

// One element of Connection: an option that we know, or the name of another field that ends here.
void apply_option(std::string_view t, Field* rows, std::uint32_t count, ConnectionOptions& out) {
  if (equals_ignore_case(t, "close")) {
    out.close = true;
  } else if (equals_ignore_case(t, "keep-alive")) {
    out.keep_alive = true;
  } else if (equals_ignore_case(t, "upgrade")) {
    out.upgrade = true;
  } else {
    const HeaderId id = header_id(t);
    if (id == HeaderId::kHost || has_property(id, HeaderProperty::kFraming)) return;
    for (std::uint32_t k = 0; k < count; ++k) {
      if (rows[k].id == id && equals_ignore_case(rows[k].name(), t)) rows[k].removed = true;
    }
  }
}

// Reads Connection, and removes it, the fields that it names, and the other hop-by-hop fields.
ConnectionOptions strip_hop_by_hop(Field* rows, std::uint32_t count) {
  ConnectionOptions out;
  for (std::uint32_t i = 0; i < count; ++i) {
    const HeaderId id = rows[i].id;
    if (!has_property(id, HeaderProperty::kConnectionSpecific | HeaderProperty::kFraming)) continue;
    rows[i].removed = true;
    if (id == HeaderId::kKeepAlive) out.timeout = keep_alive_timeout(rows[i].value());
    if (id == HeaderId::kConnection)
      for_each_token(rows[i].value(), [&](std::string_view t) { apply_option(t, rows, count, out); });
  }
  return out;
}

Refusal apply_host(Head& head, Field* rows, std::uint32_t count) {
  int hosts;
  Field* host = only(rows, count, HeaderId::kHost, hosts);
  if (hosts > 1) return {Cause::kMalformedRequest, "more than one host field"};
  if (host == nullptr && head.version == Version::kHttp11) return {Cause::kMalformedRequest, "no host field"};
  if (host != nullptr && !valid_authority(host->value()))
    return {Cause::kMalformedRequest, "the host field is not a host"};
  Refusal why = split_target(head);
  if (why.cause != Cause::kNone) return why;
  if (host != nullptr) {
    if (head.authority.empty()) {
      head.authority = host->value();
    } else if (!equals_ignore_case(head.authority, host->value())) {
      return {Cause::kMalformedRequest, "the host field and the request target differ"};
    }
    host->removed = true;
  }
  return {};
}

Refusal apply_expect(Head& head, Field* rows, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    if (rows[i].id != HeaderId::kExpect) continue;
    rows[i].removed = true;
    if (head.version == Version::kHttp10) continue;  // RFC 9110 §10.1.1: ignored
    if (!equals_ignore_case(rows[i].value(), "100-continue")) {
      return {Cause::kExpectationFailed, "only 100-continue can be expected"};
    }
    head.expect_continue = true;
  }
  return {};
}

// `TE` is forwarded only as "trailers".
void apply_te(Field* rows, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    if (rows[i].id != HeaderId::kTe || rows[i].removed) continue;
    // A part of the value as received: rows may only point into the head, which is moved as a whole.
    std::string_view trailers;
    for_each_token(rows[i].value(), [&](std::string_view t) {
      if (equals_ignore_case(t, "trailers")) trailers = t;
    });
    rows[i].removed = trailers.empty();
    if (trailers.empty()) continue;
    rows[i].value_data = trailers.data();
    rows[i].value_size = static_cast<std::uint32_t>(trailers.size());
  }
}

bool persists(const Head& head, const ConnectionOptions& options) {
  return !options.close && (head.version == Version::kHttp11 || options.keep_alive);
}

// RFC 9110 §6.4.1: messages that have no body whatever they declare. The length that an answer to HEAD or a 304
// declares is kept.
bool drop_body(Head& head, bool to_head) {
  const bool never = head.status < 200 || head.status == 204;
  if (!never && head.status != 304 && !to_head) return false;
  if (never) head.declared_length = -1;
  head.body = {};
  return true;
}

// Reduces "chunked, chunked", in one field or in several, to one "chunked". Does nothing if another coding is named.
void join_chunked(Field* rows, std::uint32_t count) {
  Field* first = nullptr;
  std::string_view chunked;
  bool others = false;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (rows[i].id != HeaderId::kTransferEncoding) continue;
    if (first == nullptr) first = &rows[i];
    for_each_token(rows[i].value(), [&](std::string_view t) {
      if (equals_ignore_case(t, "chunked")) {
        chunked = t;
      } else {
        others = true;
      }
    });
  }
  if (others || chunked.empty()) return;
  first->value_data = chunked.data();
  first->value_size = static_cast<std::uint32_t>(chunked.size());
  for (Field* f = first + 1; f != rows + count; ++f) {
    if (f->id == HeaderId::kTransferEncoding) f->id = HeaderId::kOther, f->removed = true;
  }
}

bool asks_for_websocket(Field* rows, std::uint32_t count) {
  int n;
  Field* upgrade = only(rows, count, HeaderId::kUpgrade, n);
  return n == 1 && equals_ignore_case(upgrade->value(), "websocket");
}

}  // namespace

bool parse_length(std::string_view text, std::uint64_t& out) {
  if (text.empty()) return false;
  out = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    std::uint64_t digit = static_cast<std::uint64_t>(c - '0');
    if (out > (static_cast<std::uint64_t>(INT64_MAX) - digit) / 10) return false;
    out = out * 10 + digit;
  }
  return true;
}

Refusal apply_request_rules(Head& head, Field* rows, std::uint32_t count) {
  if (head.method_text == "PRI") return {Cause::kMalformedRequest, "an HTTP/2 preface on an HTTP/1 connection"};
  if (head.method == Method::kConnect) return {Cause::kNotImplemented, "CONNECT is not implemented"};
  for (Refusal why : {apply_host(head, rows, count), body_length(head.version, rows, count, head.body),
                      apply_expect(head, rows, count)}) {
    if (why.cause != Cause::kNone) return why;
  }
  if (head.body.kind == BodyLength::Kind::kUntilClose) head.body.kind = BodyLength::Kind::kNone;
  bool websocket = asks_for_websocket(rows, count);
  ConnectionOptions options = strip_hop_by_hop(rows, count);
  head.keep_alive = persists(head, options);
  bool has_body = head.body.kind == BodyLength::Kind::kChunked || head.body.length > 0;
  head.upgrade =
      websocket && options.upgrade && head.version == Version::kHttp11 && head.method == Method::kGet && !has_body;
  if (!has_body) head.expect_continue = false;
  apply_te(rows, count);
  return {};
}

Refusal apply_response_rules(Head& head, Method request, bool awaits_upgrade, Field* rows, std::uint32_t count,
                             bool repeated_chunked) {
  if (head.status == 101) {
    if (!awaits_upgrade || !asks_for_websocket(rows, count)) {
      return {Cause::kUpstreamMalformed, "a 101 that nobody asked for"};
    }
    head.upgrade = true;
  }
  if (repeated_chunked) join_chunked(rows, count);
  Refusal why = body_length(head.version, rows, count, head.body);
  if (why.cause != Cause::kNone) return {Cause::kUpstreamMalformed, why.detail};
  if (head.body.kind == BodyLength::Kind::kLength) head.declared_length = static_cast<std::int64_t>(head.body.length);
  drop_body(head, request == Method::kHead);
  ConnectionOptions options = strip_hop_by_hop(rows, count);
  head.keep_alive = persists(head, options);
  head.keep_alive_timeout = options.timeout;
  if (head.body.kind == BodyLength::Kind::kUntilClose) head.keep_alive = false;
  return {};
}

namespace {

// Content-Length of a message whose end is marked by a frame anyway.
Refusal h2_length(bool end, Field* rows, std::uint32_t count, BodyLength& out, std::int64_t& declared) {
  int lengths;
  Field* length = only(rows, count, HeaderId::kContentLength, lengths);
  out = {end ? BodyLength::Kind::kNone : BodyLength::Kind::kChunked, 0};
  declared = -1;
  if (length == nullptr) return {};
  std::uint64_t n;
  if (lengths > 1) return {Cause::kMalformedRequest, "more than one content-length"};
  if (!parse_length(length->value(), n)) return {Cause::kMalformedRequest, "content-length is not a number"};
  declared = static_cast<std::int64_t>(n);
  if (!end) out = {BodyLength::Kind::kLength, n};
  return {};
}

// RFC 9113 §8.3.1: a path, or "*" for OPTIONS; never a URL. As over HTTP/1.1, UTF-8 may stand as it is.
Refusal check_h2_target(const Head& head) {
  if (head.target.empty() || (head.target[0] != '/' && head.target != "*")) {
    return {Cause::kMalformedRequest, "the :path is not a path"};
  }
  const bool sendable = std::none_of(head.target.begin(), head.target.end(),
                                     [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
  if (!sendable || (!is_ascii(head.target) && !is_utf8(head.target))) {
    return {Cause::kMalformedRequest, "the :path has a character that must be encoded"};
  }
  return {};
}

}  // namespace

Refusal apply_h2_request_rules(Head& head, std::string_view protocol, bool end, Field* rows, std::uint32_t count) {
  head.version = Version::kHttp2;
  head.method = method_of(head.method_text);
  if (!is_token(head.method_text)) return {Cause::kMalformedRequest, "the method is not a token"};
  bool websocket = head.method == Method::kConnect && protocol == "websocket";
  if (!protocol.empty() && head.method != Method::kConnect)
    return {Cause::kMalformedRequest, ":protocol without CONNECT"};
  if (head.method == Method::kConnect && !websocket) return {Cause::kNotImplemented, "CONNECT is not implemented"};
  if (head.scheme != "http" && head.scheme != "https")
    return {Cause::kMalformedRequest, "the :scheme is neither http nor https"};
  if (!head.authority.empty() && !valid_authority(head.authority)) {
    return {Cause::kMalformedRequest, "the :authority is not a host"};
  }
  if (Refusal why = check_h2_target(head); why.cause != Cause::kNone) return why;
  std::int64_t declared;
  for (Refusal why : {apply_host(head, rows, count), h2_length(end, rows, count, head.body, declared),
                      apply_expect(head, rows, count)}) {
    if (why.cause != Cause::kNone) return why;
  }
  if (head.authority.empty()) return {Cause::kMalformedRequest, "neither :authority nor host"};
  if (declared > 0 && end) return {Cause::kMalformedRequest, "content-length without a body"};
  strip_hop_by_hop(rows, count);
  if (end || websocket) head.expect_continue = false;
  if (websocket) {
    // The server gets the HTTP/1.1 form of the same request.
    head.method = Method::kGet;
    head.method_text = "GET";
    head.upgrade = true;
    head.body = {};
  }
  apply_te(rows, count);
  return {};
}

Refusal apply_h2_response_rules(Head& head, bool to_head, bool end, Field* rows, std::uint32_t count) {
  head.version = Version::kHttp2;
  bool tunnel = head.status == 101 && head.upgrade;
  if (head.status < 100 || head.status > 599 || (head.status == 101 && !tunnel)) {
    return {Cause::kUpstreamMalformed, "a status that a response cannot have"};
  }
  Refusal why = h2_length(end, rows, count, head.body, head.declared_length);
  if (why.cause != Cause::kNone) return {Cause::kUpstreamMalformed, why.detail};
  if (!drop_body(head, to_head) && end) head.body = {BodyLength::Kind::kLength, 0};
  strip_hop_by_hop(rows, count);
  return {};
}

void strip_trailers(Field* rows, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    rows[i].removed = has_property(rows[i].id, HeaderProperty::kNotInTrailers) || imitates_known(rows[i].name());
  }
}

}  // namespace albatross
