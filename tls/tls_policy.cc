#include "tls/tls_policy.h"

#include <openssl/ssl.h>

namespace albatross {
namespace {

constexpr const char* kAead =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr const char* kStrict =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-"
    "SHA384:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kWide =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-"
    "SHA384:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES256-SHA:ECDHE-ECDSA-AES256-SHA:"
    "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA";
// OpenSSL 3 allows SHA-1 signatures of TLS 1.0 and 1.1 only at security level 0.
constexpr const char* kLegacy =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-"
    "SHA384:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
    "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:"
    "AES128-SHA:AES256-SHA:@SECLEVEL=0";

constexpr TlsPolicy kPolicies[] = {
    // The default: TLS 1.2 with AEAD ciphers, and 1.3.
    {"tls_cipher_policy_1_2_strict_with_1_3", TLS1_2_VERSION, TLS1_3_VERSION, kAead, false},
    {"tls_cipher_policy_1_0", TLS1_VERSION, TLS1_2_VERSION, kLegacy, true},
    {"tls_cipher_policy_1_1", TLS1_1_VERSION, TLS1_2_VERSION, kLegacy, true},
    {"tls_cipher_policy_1_2", TLS1_2_VERSION, TLS1_2_VERSION, kWide, false},
    {"tls_cipher_policy_1_2_strict", TLS1_2_VERSION, TLS1_2_VERSION, kStrict, false},
    {"ELBSecurityPolicy-TLS13-1-3-2021-06", TLS1_3_VERSION, TLS1_3_VERSION, kAead, false},
    {"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", TLS1_2_VERSION, TLS1_3_VERSION, kAead, false},
    {"ELBSecurityPolicy-TLS13-1-2-2021-06", TLS1_2_VERSION, TLS1_3_VERSION, kStrict, false},
    {"ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", TLS1_2_VERSION, TLS1_3_VERSION, kWide, false},
    {"ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", TLS1_2_VERSION, TLS1_3_VERSION, kWide, false},
    {"ELBSecurityPolicy-TLS13-1-1-2021-06", TLS1_1_VERSION, TLS1_3_VERSION, kLegacy, true},
    {"ELBSecurityPolicy-TLS13-1-0-2021-06", TLS1_VERSION, TLS1_3_VERSION, kLegacy, true},
    {"ELBSecurityPolicy-TLS-1-2-2017-01", TLS1_2_VERSION, TLS1_2_VERSION, kWide, false},
    {"ELBSecurityPolicy-TLS-1-2-Ext-2018-06", TLS1_2_VERSION, TLS1_2_VERSION, kWide, false},
    {"ELBSecurityPolicy-TLS-1-1-2017-01", TLS1_1_VERSION, TLS1_2_VERSION, kLegacy, true},
    {"ELBSecurityPolicy-FS-1-2-Res-2020-10", TLS1_2_VERSION, TLS1_2_VERSION, kAead, false},
    {"ELBSecurityPolicy-FS-1-2-Res-2019-08", TLS1_2_VERSION, TLS1_2_VERSION, kStrict, false},
    {"ELBSecurityPolicy-FS-1-2-2019-08", TLS1_2_VERSION, TLS1_2_VERSION, kStrict, false},
    {"ELBSecurityPolicy-FS-1-1-2019-08", TLS1_1_VERSION, TLS1_2_VERSION, kLegacy, true},
    {"ELBSecurityPolicy-FS-2018-06", TLS1_VERSION, TLS1_2_VERSION, kLegacy, true},
    {"ELBSecurityPolicy-2015-05", TLS1_VERSION, TLS1_2_VERSION, kLegacy, true},
    {"ELBSecurityPolicy-TLS-1-0-2015-04", TLS1_VERSION, TLS1_2_VERSION, kLegacy, true},
    {"ELBSecurityPolicy-2016-08", TLS1_VERSION, TLS1_2_VERSION, kLegacy, true},
};

}  // namespace

const TlsPolicy* find_policy(std::string_view name) {
  for (const TlsPolicy& p : kPolicies) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

}  // namespace albatross
