// The server side of TLS for one listener: certificates by SNI, policy, ALPN, session tickets.
//
// Built on the builder thread from files, const and shared by all workers (OpenSSL's contexts are reference-counted and
// safe to share when nobody changes them). Ticket keys are the process's (TicketKeys): every worker and every
// configuration resumes what any of them issued, unless the certificate or client rules differ (session id context).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "net/transport.h"

struct ssl_ctx_st;

namespace albatross {

class TicketKeys;

struct CertificateInfo {
  std::vector<std::string> names;  // DNS names it covers, lower case
  std::int64_t not_after = 0;      // seconds since the epoch
  std::string file;
};

class TlsServer {
 public:
  // Errors (unreadable file, key that does not match, unknown policy) go to `out` at the certificate's place; null
  // then.
  static std::shared_ptr<TlsServer> create(const config::Listener& listener, const std::string& path,
                                           std::shared_ptr<TicketKeys> tickets, config::Diagnostics& out);
  virtual ~TlsServer() = default;

  // A transport over the accepted descriptor. With `proxied`, a PROXY header comes in front of the handshake: the
  // session reads it from the transport as plain bytes until start_tls (see TlsTransport).
  virtual std::unique_ptr<Transport> accept(Loop& loop, Ready& owner, int fd, bool proxied) = 0;
  virtual const std::vector<CertificateInfo>& certificates() const = 0;
  // Changes when connections should not outlive a reload: policy and certificate contents.
  virtual const std::string& fingerprint() const = 0;
};

}  // namespace albatross
