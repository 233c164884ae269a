// One-byte ids of the field names the proxy acts on. Everything else is kOther and compares by name.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.h"

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
  kContentEncoding,
  kCacheControl,
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
  kAuthorization,
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

}  // namespace albatross
