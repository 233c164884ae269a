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

// A 504 for what a server is allowed to take: by the group's own timeout, or by what the file assumes.
void find_trap(const config::Config& config, const config::Listener& l, const std::vector<config::Action>& actions,
               const config::Value<Duration>& response, const std::string& path, Findings& out) {
  const auto& slowest = config.lints.assume.slowest_response;
  for (const config::Action& a : actions) {
    if (a.kind != config::Action::Kind::kForward) continue;
    for (const config::WeightedGroup& w : a.forward.groups) {
      for (const config::ServerGroup& g : config.server_groups) {
        if (*g.name != *w.name) continue;
        const bool group_allows = g.response_timeout && **g.response_timeout > *response;
        const Duration in_force = g.response_timeout ? std::min(**g.response_timeout, *response) : *response;
        const bool slower = slowest && **slowest > in_force;
        if (!group_allows && !slower) continue;
        const Duration takes = slower ? **slowest : **g.response_timeout;
        const std::string who = slower ? "the slowest response takes " + config::to_text(takes) + " (lints.assume)"
                                       : "group " + *g.name + " allows its servers " + config::to_text(takes);
        const bool by_group = g.response_timeout && **g.response_timeout < *response;
        const config::Place at = by_group ? g.response_timeout->at : response.written() ? response.at : l.name.at;
        out.push_back(finding("timeout-trap", at, path,
                              who + ", but after " + config::to_text(in_force) +
                                  " the client gets a 504, and the server works on for " +
                                  config::to_text(takes - in_force) + " for nobody",
                              "write timeouts: {response: " + config::to_text(takes) + "} for " +
                                  (by_group ? "group " + *g.name : "this rule") +
                                  ", or answer at once and let the client ask for the result"));
        return;
      }
    }
  }
}

void find_traps(const config::Config& config, Findings& out) {
  if (!config.lints.assume.slowest_response) out.skip("timeout-trap", "lints.assume.slowest_response");
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    each_action_list(
        l, config::element_path("listeners", i),
        [&](const std::string& path, const std::vector<config::Action>& actions, const config::Rule* rule) {
          const bool own = rule != nullptr && rule->timeouts.response;
          find_trap(config, l, actions, own ? *rule->timeouts.response : l.timeouts.response, path, out);
        });
  }
}

void find_idle(const config::Config& config, Findings& out) {
  const auto& servers = config.lints.assume.servers_keep_alive;
  if (!servers) return out.skip("idle-longer", "lints.assume.servers_keep_alive");
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const config::ServerGroup& g = config.server_groups[i];
    if (*g.keep_alive_idle < **servers || (g.keep_alive_pool && **g.keep_alive_pool == 0)) continue;
    out.push_back(finding("idle-longer", g.keep_alive_idle.written() ? g.keep_alive_idle.at : g.at,
                          config::element_path("server_groups", i) + ".keep_alive.idle",
                          "idle connections are kept for " + config::to_text(g.keep_alive_idle) +
                              ", but the servers close them after " + config::to_text(*servers) +
                              ": a request that meets the close is lost, unless it may be sent again",
                          "write keep_alive: {idle: " + config::to_text(Duration((*servers)->count() * 4 / 5)) +
                              "}, or let the servers keep them longer"));
  }
}

}  // namespace

void lint_timers(const config::Config& config, Findings& out) {
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
  find_traps(config, out);
  find_idle(config, out);
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
