// Timers that cut what others allow.
#include <algorithm>

#include "config/diagnostics.h"
#include "config/scalar.h"
#include "lint/lints.h"

namespace albatross {
namespace {

using config::Duration;

// The longest response timeout that requests to the group may have, and who has it.
struct Longest {
  Duration value{0};
  std::string of;
};

void consider(const config::ServerGroup& group, const std::vector<config::Action>& actions, Duration response,
              const std::string& of, Longest& longest) {
  for (const config::Action& a : actions) {
    if (a.kind != config::Action::Kind::kForward) continue;
    for (const config::WeightedGroup& g : a.forward.groups) {
      if (*g.name == *group.name && response > longest.value) longest = {response, of};
    }
  }
}

Longest longest_response(const config::Config& config, const config::ServerGroup& group) {
  Longest longest;
  for (const config::Listener& l : config.listeners) {
    consider(group, l.default_actions, *l.timeouts.response, "listener " + *l.name, longest);
    for (const config::Rule& r : l.rules) {
      consider(group, r.actions, r.timeouts.response ? **r.timeouts.response : *l.timeouts.response,
               "rule " + *l.name + "/" + *r.name, longest);
    }
  }
  if (group.response_timeout && **group.response_timeout < longest.value) {
    longest = {**group.response_timeout, "the group"};
  }
  return longest;
}

}  // namespace

void lint_timers(const config::Config& config, std::vector<config::Diagnostic>& out) {
  Longest of_all;
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const config::ServerGroup& g = config.server_groups[i];
    const Longest longest = longest_response(config, g);
    if (longest.value > of_all.value) of_all = longest;
    if (*g.connection_drain >= longest.value) continue;
    out.push_back(finding("drain-shorter", g.connection_drain.written() ? g.connection_drain.at : g.at,
                          config::element_path("server_groups", i) + ".connection_drain",
                          "a request may wait " + config::to_text(longest.value) +
                              " for its response (timeouts.response of " + longest.of + "), but is cut after " +
                              config::to_text(g.connection_drain) + " when its server drains",
                          "write connection_drain: " + config::to_text(longest.value)));
  }
  // The default of both is written by nobody and is well known: 30 s against 60 s.
  const config::Shutdown& s = config.shutdown;
  if (!s.drain.written() || *s.drain >= of_all.value) return;
  out.push_back(finding("shutdown-short", s.drain.at, "shutdown.drain",
                        "a request may wait " + config::to_text(of_all.value) +
                            " for its response (timeouts.response of " + of_all.of + "), but is cut " +
                            config::to_text(s.drain) + " after the process begins to drain",
                        "write drain: " + config::to_text(of_all.value)));
}

}  // namespace albatross
