// Security policies: TLS versions and ciphers by the names of Alibaba Cloud and AWS. Constant data, any thread.
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

// The policy of that name, which lives as long as the program; null if there is none.
const TlsPolicy* find_policy(std::string_view name);

}  // namespace albatross
