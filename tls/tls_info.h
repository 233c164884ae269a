// What a TLS handshake has agreed on. The views are static or live as long as the connection; they are read on the
// connection's thread, before the next connection is asked.
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
