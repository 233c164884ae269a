// Loads certificates and private keys, and tells which names they cover. Builder thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "tls/tls_server.h"

struct ssl_ctx_st;

namespace albatross {

// Loads the chain and the key into the context, fills `info`, and appends the digest of the certificate to
// `fingerprint`. On failure false, and an error in `out` at the certificate's place; `path` names it in the file:
// "listeners[0].certificates[1]".
bool load_certificate(ssl_ctx_st* ctx, const config::Certificate& c, const std::string& path, config::Diagnostics& out,
                      CertificateInfo& info, std::string& fingerprint);

}  // namespace albatross
