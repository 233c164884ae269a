// Explains what happens to one request, without sending it: each rule and why it does not match, the actions and what
// they make of the request, the groups and servers that may get it. Not for the request path; any thread.
//
// There is one evaluation. The compiled table says which rule wins, the routes' own functions apply its actions, and
// the balancer says what it would pick. The plain evaluator (routing/rules/account.h) tells why the other rules do not
// match.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "routing/balancing/balancer.h"
#include "routing/rules/route.h"
#include "routing/rules/rule_table.h"

namespace albatross {

// A request as a person writes it.
struct ExplainRequest {
  std::string method = "GET";
  std::string url;  // "https://host:port/path?query", or "/path" with a Host header
  std::vector<std::pair<std::string, std::string>> headers;
  std::string from;  // the address of the client; empty: 127.0.0.1
  // Of a TLS connection. Without them, clients of a listener with TLS are taken to name the host and to offer all.
  std::optional<std::string> sni, alpn;
  Nanos wall = 0;  // when it begins, nanoseconds since 1970; 0: now
};

// A server of a group as explain shows it.
struct ServerView {
  std::string address;
  std::string zone;
  std::string state;  // "healthy", "unhealthy: status 500", "draining"
  std::uint32_t weight = 0;
  bool backup = false;
  double slow_start = 1;  // how far it has come to its whole share, 0 to 1
  double part = 0;        // of the group's requests, 0 to 1
};
struct GroupView {
  std::string scheduler;  // "wrr"
  std::vector<ServerView> servers;
  int next = Balancer::kNone;  // the index of the server that would be picked next
  bool fail_open = true;
};
// The group of that name; nullopt if there is none.
using FindGroup = std::function<std::optional<GroupView>(const std::string& name)>;

// The rules of one listener.
struct ExplainRules {
  const config::Listener& listener;
  RuleTable::Matcher& matcher;
  const Routes& routes;
  std::uint16_t port = 0;  // that it is bound to
};

// The listener that the request would come to: by `name` if it is not empty, else by the URL's scheme and port, or the
// only one. Null if that is not clear, and `error` says what to do.
const config::Listener* listener_for(const config::Config& config, const std::string& name,
                                     const ExplainRequest& request, std::string& error);

// The explanation as JSON, with its keys in the order in which they are read. If the request cannot be a request, an
// object with "error".
nlohmann::ordered_json explain(const ExplainRules& rules, const FindGroup& group, const ExplainRequest& request);

// The same for a listener of a configuration that does not run: servers are taken to be healthy. Errors that only
// compiling finds go to `out`.
nlohmann::ordered_json explain(const config::Config& config, const config::Listener& listener,
                               const ExplainRequest& request, config::Diagnostics& out);

}  // namespace albatross
