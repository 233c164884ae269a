// Forwarding headers (PRODUCT §3) on a request's fields. Pure functions; new values live in the fields' arena.
#pragma once

#include <string_view>
#include <vector>

#include "base/ip.h"
#include "http/head.h"

namespace albatross {

enum class ForwardedFor : std::uint8_t { kAppend, kRemove, kPreserve, kProcess };

struct ForwardedPolicy {
  ForwardedFor forwarded_for = ForwardedFor::kAppend;
  bool proto = false;
  bool port = false;
  bool host = false;
  std::vector<Network> trusted;
};

struct ForwardedPeer {
  IpAddress address;        // the peer's, or the PROXY header's
  std::string_view text;    // the same as text; "" for a unix peer without one
  std::string_view scheme;  // of this connection
  std::string_view port;    // the listener's
  std::string_view host;    // the request's authority
  bool trusted = false;     // address is in policy.trusted
};

// The client as rules and logs see it: the peer, or with kProcess the first untrusted address from the right.
IpAddress client_address(const ForwardedPolicy& policy, const ForwardedPeer& peer, const Fields& fields);

// Edits X-Forwarded-* and, from a peer that is not trusted, strips what only a proxy may say: Forwarded, X-Real-IP,
// Proxy, X-Forwarded-* and the client-certificate fields.
void apply_forwarded(const ForwardedPolicy& policy, const ForwardedPeer& peer, Fields& fields);

}  // namespace albatross
