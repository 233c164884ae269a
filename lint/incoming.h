// A request on its way to the rules: taken apart, normalised, with the client that is believed. As the codec and
// admission do it, without a connection. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/arena.h"
#include "http/forwarded.h"
#include "http/head.h"
#include "lint/explain.h"

namespace albatross {

struct Incoming {
  Incoming() { head.fields = Fields(arena); }

  // What the rules check; views into this.
  RouteQuery query() const {
    return {head.authority, head.path, head.query, head.method_text, &head.fields, client, sni, alpn, wall};
  }

  Arena arena;
  Head head;
  std::string target;       // as sent
  std::string peer_text;    // the address of the connection's other end
  std::string client_text;  // the client's, which a trusted proxy may name
  std::string sni, alpn;    // of the TLS connection; empty: none
  Nanos wall = 0;           // when it begins
  std::string port_text;    // of the listener; empty if it is not known
  IpAddress client;
  Believed believed;
  bool trusted = false;              // the peer is a trusted proxy
  std::vector<std::string> dropped;  // fields, for an underscore in their name
};

// Reads the request into `in`, which is new. Returns what is wrong; empty if nothing is. `header_names`: of the fields
// that the listener's rules check; `port`: that it is bound to, 0 if it is not known.
std::string read(const config::Listener& listener, const std::vector<std::string>& header_names, std::uint16_t port,
                 const ExplainRequest& request, Incoming& in);

}  // namespace albatross
