// X-Forwarded fields: who the client is, and what the server is told about it. Pure functions on a request's fields;
// new values are in the fields' arena.
#pragma once

#include <string_view>
#include <vector>

#include "base/ip.h"
#include "http/head.h"

namespace albatross {

// The treatment of X-Forwarded-For; config::XForwarded::For has the meanings.
enum class ForwardedFor : std::uint8_t { kAppend, kRemove, kPreserve, kProcess };

struct ForwardedPolicy {
  ForwardedFor forwarded_for = ForwardedFor::kAppend;
  bool proto = false;  // which of X-Forwarded-Proto, -Port and -Host are set
  bool port = false;
  bool host = false;
  std::vector<Network> trusted;  // the peers whose fields are believed
};

// The peer that a request came from. The views outlive the call; apply_forwarded() keeps some in the fields.
struct ForwardedPeer {
  IpAddress address;        // the peer's, or the PROXY header's
  std::string_view text;    // the same as text; "" for a unix peer without one
  std::string_view scheme;  // of this connection
  std::string_view port;    // the listener's
  std::string_view host;    // the request's authority
  bool trusted = false;     // address is in policy.trusted
};

// The URL as the client has it: that of this connection, or what a trusted peer says of the connection in front of it.
struct Believed {
  std::string_view scheme;
  std::string_view host;  // with its port; "": the request's own
  std::string_view port;  // "": the listener's
};
Believed believed(const ForwardedPeer& peer, const Fields& fields);

// The client as rules and logs see it: the peer or, with kProcess and a trusted peer, the last address in
// X-Forwarded-For that is not trusted.
IpAddress client_address(const ForwardedPolicy& policy, const ForwardedPeer& peer, const Fields& fields);

// Sets the X-Forwarded fields as the policy says, and removes Proxy. From a peer that is not trusted, the fields that
// only a proxy may set are removed first: Forwarded, X-Real-IP, X-Forwarded-* and the fields about a client
// certificate.
void apply_forwarded(const ForwardedPolicy& policy, const ForwardedPeer& peer, Fields& fields);

}  // namespace albatross
