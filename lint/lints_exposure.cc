// What is open to more than is meant.
#include "config/diagnostics.h"
#include "lint/lints.h"
#include "tls/tls_policy.h"

namespace albatross {
namespace {

// The oldest version that the policy admits if it is too old; else empty.
std::string old_version(const std::string& name) {
  constexpr int kTls11 = 0x0302;  // as the record layer has it, RFC 4346
  const TlsPolicy* policy = find_policy(name);
  if (policy == nullptr || !policy->weak) return {};
  return policy->min_version < kTls11 ? "1.0" : "1.1";
}

}  // namespace

void lint_exposure(const config::Config& config, Findings& out) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    const std::string path = config::element_path("listeners", i);
    for (const auto& network : l.trusted_proxies) {
      if (!network->ends_with("/0")) continue;
      out.push_back(
          finding("trusted-everyone", network.at, path + ".trusted_proxies",
                  *network + " is the whole internet: every client may say which address, scheme and host it has",
                  "list the addresses of the proxies in front"));
    }
    const std::string version = old_version(*l.security_policy);
    if (*l.protocol != config::Listener::Protocol::kHttps || version.empty()) continue;
    out.push_back(finding("tls-old", l.security_policy.at, path + ".security_policy",
                          *l.security_policy + " admits TLS " + version + ", which RFC 8996 has withdrawn",
                          "write tls_cipher_policy_1_2_strict_with_1_3, unless clients from before 2013 must connect"));
  }
}

}  // namespace albatross
