// One-byte ids of the field names that the proxy acts on. All others are kOther and are compared by name. Any thread.
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
  kXAlbatrossExplain,
  kCount,
};

// The id of a name in any case; kOther if it has none.
HeaderId header_id(std::string_view name);
// The name in lower case; "" for kOther.
std::string_view header_name(HeaderId id);

}  // namespace albatross
