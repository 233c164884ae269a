#include "routing/rules/listener_policy.h"

namespace albatross {

std::vector<Network> networks_of(const std::vector<config::Value<std::string>>& texts) {
  std::vector<Network> out;
  for (const auto& t : texts) {
    if (auto n = Network::parse(*t)) out.push_back(*n);
  }
  return out;
}

ForwardedPolicy forwarded_policy(const config::Listener& listener) {
  using For = config::XForwarded::For;
  const config::XForwarded& x = listener.x_forwarded;
  ForwardedPolicy p;
  switch (*x.forwarded_for) {
    case For::kRemove: p.forwarded_for = ForwardedFor::kRemove; break;
    case For::kPreserve: p.forwarded_for = ForwardedFor::kPreserve; break;
    case For::kProcess: p.forwarded_for = ForwardedFor::kProcess; break;
    case For::kAppend: p.forwarded_for = ForwardedFor::kAppend; break;
  }
  p.proto = x.proto;
  p.port = x.port;
  p.host = x.host;
  p.trusted = networks_of(listener.trusted_proxies);
  return p;
}

Underscores underscores_policy(const config::Listener& listener) {
  switch (listener.underscores) {
    case config::Underscores::kPass: return Underscores::kPass;
    case config::Underscores::kDrop: return Underscores::kDrop;
    case config::Underscores::kProtect: break;
  }
  return Underscores::kProtect;
}

EncodedSlash encoded_slash_policy(const config::Listener& listener) {
  return listener.encoded_slash_pass ? EncodedSlash::kPass : EncodedSlash::kReject;
}

}  // namespace albatross
