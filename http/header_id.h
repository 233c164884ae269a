// One-byte ids of the field names the proxy acts on. Everything else is kOther and compares by name.
#pragma once

#include <cstdint>
#include <string_view>

namespace albatross {

enum class HeaderId : std::uint8_t {
  kOther,
  kHost,
  kConnection,
  kContentLength,
  kTransferEncoding,
  kUpgrade,
  kKeepAlive,
  kProxyConnection,
  kTe,
  kTrailer,
  kExpect,
  kCookie,
  kSetCookie,
  kContentType,
  kAccept,
  kUserAgent,
  kReferer,
  kDate,
  kServer,
  kLocation,
  kRetryAfter,
  kXForwardedFor,
  kXForwardedProto,
  kXForwardedHost,
  kXForwardedPort,
  kForwarded,
  kXRequestId,
  kTraceparent,
  kTracestate,
  kAlbatrossTrace,
  kClientCertSubject,
  kClientCertIssuer,
  kClientCertFingerprint,
  kClientCertVerify,
  kProxyAuthenticate,
  kProxyAuthorization,
  kSecWebsocketKey,
  kSecWebsocketAccept,
  kSecWebsocketVersion,
  kGrpcStatus,
  kGrpcMessage,
  kGrpcTimeout,
  kHttp2Settings,
  kProxy,
  kXRealIp,
  kCount,
};

// Case does not matter. kOther when unknown.
HeaderId header_id(std::string_view name);
// Lower case.
std::string_view header_name(HeaderId id);

// ASCII only, as field names, schemes and hosts are.
bool equals_ignore_case(std::string_view a, std::string_view b);
inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace albatross
