// The client side of TLS towards one server: verifies its certificate, sends SNI, resumes sessions. Built on the
// builder thread, then shared by all workers and by the prober.
#pragma once

#include <memory>
#include <string>

#include "config/config.h"
#include "config/diagnostics.h"
#include "net/transport.h"

namespace albatross {

class TlsClient {
 public:
  // `host`: the server's name as configured, for SNI and verification unless `tls.server_name` is given. `h2`: ALPN
  // offers HTTP/2 only. Null if the authorities cannot be loaded, with an error in `out`; `path` names the group.
  static std::shared_ptr<TlsClient> create(const config::UpstreamTls& settings, const std::string& host, bool h2,
                                           const std::string& path, config::Diagnostics& out);
  virtual ~TlsClient() = default;
  // A transport over the connecting descriptor, which it owns. The loop's thread.
  virtual std::unique_ptr<Transport> connect(Loop& loop, Ready& owner, int fd) = 0;
};

}  // namespace albatross
