// The client side of TLS towards the servers of one group: verification on, SNI and name checked, sessions resumed.
// Built on the builder thread, const and shared.
#pragma once

#include <memory>
#include <string>

#include "config/config.h"
#include "config/diagnostics.h"
#include "net/transport.h"

namespace albatross {

class TlsClient {
 public:
  // `host`: the server's name as configured; used for SNI and verification unless `tls.server_name` says otherwise.
  // `h2`: HTTP/2 is asked for, and nothing else will do.
  static std::shared_ptr<TlsClient> create(const config::UpstreamTls& settings, const std::string& host, bool h2,
                                           const std::string& path, config::Diagnostics& out);
  virtual ~TlsClient() = default;
  virtual std::unique_ptr<Transport> connect(Loop& loop, Ready& owner, int fd) = 0;
};

}  // namespace albatross
