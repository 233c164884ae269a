// The properties that the protocols give to fields by name, in one table for parsing, framing and writing. Constant
// data, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "http/header_id.h"

namespace albatross {

// A set of bits.
struct HeaderProperty {
  enum : unsigned {
    // Frames the body (RFC 9112 §6). http/framing checks it and keeps the result in Head::body.
    kFraming = 1,
    // Applies to one connection and is not forwarded (RFC 9110 §7.6.1).
    kConnectionSpecific = 2,
    // The codec writes it anew from the Head; a row of that name is left out.
    kWrittenByCodec = 4,
    // Dropped from trailers: it frames, routes, authenticates or describes the content (RFC 9110 §6.5.1), or servers
    // trust it as set by their proxy.
    kNotInTrailers = 8,
    // Has another value in each request: in HPACK's dynamic table it would only evict other fields.
    kUnique = 16,
    // Key and answer of HTTP/1.1's WebSocket handshake, which HTTP/2 does without (RFC 8441 §5).
    kHandshakeKey = 32,
    // The proxy writes it into requests, and servers may trust that it comes from the proxy.
    kSetByProxy = 64,
  };
};

// By HeaderId. A field that is not named here has no property.
inline constexpr auto kHeaderProperties = [] {
  using enum HeaderId;
  struct Row {
    HeaderId id;
    unsigned properties;
  };
  constexpr unsigned kFraming = HeaderProperty::kFraming | HeaderProperty::kWrittenByCodec;
  constexpr unsigned kConnectionSpecific = HeaderProperty::kConnectionSpecific | HeaderProperty::kWrittenByCodec;
  constexpr unsigned kNotInTrailers = HeaderProperty::kNotInTrailers;
  constexpr Row kRows[] = {
      {kHost, HeaderProperty::kWrittenByCodec | kNotInTrailers},
      {kContentLength, kFraming | kNotInTrailers},
      {kTransferEncoding, kFraming | kNotInTrailers},
      {kConnection, kConnectionSpecific | kNotInTrailers},
      {kKeepAlive, kConnectionSpecific | kNotInTrailers},
      {kProxyConnection, kConnectionSpecific | kNotInTrailers},
      {kUpgrade, kConnectionSpecific | kNotInTrailers},
      {kHttp2Settings, HeaderProperty::kConnectionSpecific | kNotInTrailers},
      {kTe, kNotInTrailers},
      {kTrailer, kNotInTrailers},
      {kExpect, kNotInTrailers},
      {kCookie, kNotInTrailers},
      {kSetCookie, kNotInTrailers},
      {kAuthorization, kNotInTrailers},
      {kProxyAuthenticate, kNotInTrailers},
      {kProxyAuthorization, kNotInTrailers},
      {kContentType, kNotInTrailers},
      {kContentEncoding, kNotInTrailers},
      {kCacheControl, kNotInTrailers},
      {kLocation, kNotInTrailers},
      {kForwarded, kNotInTrailers},
      {kXForwardedFor, HeaderProperty::kUnique | kNotInTrailers},
      {kXForwardedProto, kNotInTrailers},
      {kXForwardedHost, kNotInTrailers},
      {kXForwardedPort, kNotInTrailers},
      {kXRealIp, kNotInTrailers},
      {kProxy, kNotInTrailers},
      {kXAlbatrossExplain, HeaderProperty::kWrittenByCodec | kNotInTrailers},  // for this proxy, so never passed on
      {kClientCertSubject, kNotInTrailers},
      {kClientCertIssuer, kNotInTrailers},
      {kClientCertFingerprint, kNotInTrailers},
      {kClientCertVerify, kNotInTrailers},
      {kXRequestId, HeaderProperty::kUnique | HeaderProperty::kSetByProxy},
      {kTraceparent, HeaderProperty::kUnique | HeaderProperty::kSetByProxy},
      {kTracestate, HeaderProperty::kSetByProxy},
      {kAlbatrossTrace, HeaderProperty::kSetByProxy},
      {kGrpcTimeout, HeaderProperty::kSetByProxy},
      {kSecWebsocketKey, HeaderProperty::kUnique | HeaderProperty::kHandshakeKey},
      {kSecWebsocketAccept, HeaderProperty::kHandshakeKey},
  };
  std::array<std::uint8_t, static_cast<std::size_t>(kCount)> table{};
  for (const Row& row : kRows) table[static_cast<std::size_t>(row.id)] = static_cast<std::uint8_t>(row.properties);
  return table;
}();

// Whether the field has any of the properties.
constexpr bool has_property(HeaderId id, unsigned properties) {
  return (kHeaderProperties[static_cast<std::size_t>(id)] & properties) != 0;
}

}  // namespace albatross
