// Loading certificates and keys, and the names they cover. Builder thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "tls/tls_server.h"

struct ssl_ctx_st;

namespace albatross {

// Loads chain and key into the context. Errors at the certificate's place.
bool load_certificate(ssl_ctx_st* ctx, const config::Certificate& c, const std::string& path, config::Diagnostics& out,
                      CertificateInfo& info, std::string& fingerprint);

}  // namespace albatross
