// The server side of TLS for one listener: certificates by SNI, policy, ALPN, session tickets.
//
// Built on the builder thread, then const and shared by all workers: OpenSSL's contexts may be shared once nothing
// changes them. The ticket keys are the process's, so that each worker and each configuration can resume a session that
// any of them issued, whatever the certificate was then, but not at another listener (the session id context).
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
  std::int64_t not_before = 0;     // seconds since the epoch
  std::int64_t not_after = 0;
  std::string file;
  std::string key_type;  // "RSA", "EC", "ED25519"
};

class TlsServer {
 public:
  // Null if a file cannot be read, a key does not match or the policy is unknown; the errors are in `out`, each at its
  // place. `path` names the listener: "listeners[0]".
  static std::shared_ptr<TlsServer> create(const config::Listener& listener, const std::string& path,
                                           std::shared_ptr<TicketKeys> tickets, config::Diagnostics& out);
  virtual ~TlsServer() = default;

  // A transport over the accepted descriptor, which it owns. With `proxied` it reads a PROXY header before the
  // handshake. The loop's thread.
  virtual std::unique_ptr<Transport> accept(Loop& loop, Ready& owner, int fd, bool proxied) = 0;
  virtual const std::vector<CertificateInfo>& certificates() const = 0;
  // Made from the policy and the protocols. If it changes in a reload, connections should not outlive the reload.
  virtual const std::string& fingerprint() const = 0;
  // Made from the fingerprint and the contents of the certificates: what new connections get.
  virtual const std::string& contents() const = 0;
};

}  // namespace albatross
