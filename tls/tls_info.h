// The result of a TLS handshake. The views are static or live as long as the connection. The struct is shared by all
// connections of a thread: read it before calling tls() on another connection.
#pragma once

#include <string_view>

namespace albatross {

struct TlsInfo {
  std::string_view protocol;  // "TLSv1.3"
  std::string_view cipher;    // "TLS_AES_128_GCM_SHA256"
  std::string_view alpn;      // "http/1.1", "h2" or ""
  std::string_view sni;       // the host that the client asked for; "" if none
  bool resumed = false;
};

}  // namespace albatross
