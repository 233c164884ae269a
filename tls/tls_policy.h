// Security policies by both clouds' names: versions and ciphers.
#pragma once

#include <string_view>

namespace albatross {

struct TlsPolicy {
  std::string_view name;
  int min_version;  // OpenSSL's TLS1_2_VERSION etc.
  int max_version;
  const char* ciphers;  // TLS 1.2 and below, OpenSSL's syntax
  bool weak;            // admits TLS 1.0 or 1.1
};

// Null if unknown.
const TlsPolicy* find_policy(std::string_view name);

}  // namespace albatross
