// Redirects that lead nowhere, or round in a circle. They are followed by explain, so what a witness request meets is
// what a client would.
#include <algorithm>

#include "config/diagnostics.h"
#include "lint/explain.h"
#include "lint/lints.h"
#include "lint/witness.h"

namespace albatross {
namespace {

using config::Action;
using config::Condition;

constexpr int kHops = 10;  // a browser gives up after some twenty

// Where the answer sends the client; nullopt if it is no redirect.
std::optional<std::string> location_of(const nlohmann::ordered_json& e) {
  if (!e.contains("answer") || !e["answer"].contains("location")) return std::nullopt;
  return e["answer"]["location"].get<std::string>();
}

// The address after each hop from that request, for as long as this configuration redirects.
std::vector<std::string> follow(const config::Config& config, const config::Listener& listener,
                                ExplainRequest request) {
  std::vector<std::string> seen = {request.url};
  const config::Listener* at = &listener;
  for (int hop = 0; hop < kHops && at != nullptr; ++hop) {
    config::Diagnostics out("", "");
    const auto next = location_of(explain(config, *at, request, out));
    if (!next) return seen;
    seen.push_back(*next);
    if (std::count(seen.begin(), seen.end(), *next) > 1) return seen;
    request.url = *next;
    request.sni.reset();  // of another host now
    std::string error;
    at = listener_for(config, "", request, error);
    // The only listener gets no request for another scheme.
    const bool secure = next->starts_with("https:");
    if (at != nullptr && (*at->protocol == config::Listener::Protocol::kHttps) != secure) return seen;
  }
  return seen;
}

class Redirects {
 public:
  Redirects(const config::Config& config, Findings& out) : config_(config), out_(out) {}

  void visit(const config::Listener& l, const std::vector<Condition>& conditions, const std::vector<Action>& actions,
             const std::string& path) {
    if (actions.empty() || actions.back().kind != Action::Kind::kRedirect) return;
    const Action& action = actions.back();
    const std::string at = config::element_path(path, actions.size() - 1) + ".redirect";
    find_loop(l, conditions, action, at);
    find_port(l, action, at);
  }

 private:
  void find_loop(const config::Listener& l, const std::vector<Condition>& conditions, const Action& action,
                 const std::string& path) {
    const auto request = witness(l, conditions);
    if (!request) return;
    const std::vector<std::string> seen = follow(config_, l, *request);
    const bool loops = seen.size() > 1 && std::count(seen.begin(), seen.end(), seen.back()) > 1;
    if (!loops) return;
    std::string way;
    for (const std::string& url : seen) way += (way.empty() ? "" : " -> ") + url;
    out_.push_back(finding("redirect-loop", action.at, path, "a client goes round in a circle: " + way,
                           "add a condition that the new address does not meet"));
  }

  void find_port(const config::Listener& l, const Action& action, const std::string& path) {
    const config::Redirect& r = action.redirect;
    if (!r.protocol || **r.protocol != "https" || r.host) return;
    std::vector<std::uint16_t> served;
    for (const config::Listener& other : config_.listeners) {
      if (*other.protocol == config::Listener::Protocol::kHttps) served.push_back(other.bind.port);
    }
    if (served.empty() || *l.protocol == config::Listener::Protocol::kHttps) return;
    const std::string port = r.port ? **r.port : "443";
    if (port.find("${") != std::string::npos) return;
    for (const std::uint16_t p : served) {
      if (std::to_string(p) == port || p == 0) return;
    }
    std::string ports;
    for (const std::uint16_t p : served) ports += (ports.empty() ? "" : ", ") + std::to_string(p);
    out_.push_back(finding("redirect-port", action.at, path,
                           "it sends clients to HTTPS on port " + port + ", but the https listeners are on " + ports,
                           "write port: " + std::to_string(served[0]) + ", unless something in front maps the ports"));
  }

  const config::Config& config_;
  Findings& out_;
};

}  // namespace

void lint_redirects(const config::Config& config, Findings& out) {
  Redirects redirects(config, out);
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    const std::string path = config::element_path("listeners", i);
    for (std::size_t k = 0; k < l.rules.size(); ++k) {
      redirects.visit(l, l.rules[k].conditions, l.rules[k].actions,
                      config::element_path(path + ".rules", k) + ".actions");
    }
    redirects.visit(l, {}, l.default_actions, path + ".default_actions");
  }
}

}  // namespace albatross
