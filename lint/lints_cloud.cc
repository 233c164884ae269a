// What a load balancer of a cloud would not take: its quotas, and what it does not have.
#include <algorithm>
#include <set>

#include "config/diagnostics.h"
#include "lint/lints.h"

namespace albatross {
namespace {

using config::Condition;
using Kind = Condition::Kind;

// Quotas that can be raised are those that a new account has.
struct Limits {
  const char* name;
  std::size_t rules;       // of a listener
  std::size_t conditions;  // of a rule
  std::size_t values;      // of a condition
  std::size_t wildcards;   // of a rule
  std::size_t actions;     // of a rule
  std::size_t groups;      // of a forward action
  std::size_t servers;     // of a group
  std::uint32_t weight;    // of a group
  std::uint32_t priority;  // the largest
  std::size_t header_name, header_value;
  std::size_t body;  // of a fixed response
};
constexpr Limits kAlb{"Alibaba Cloud's ALB", 100, 10, 10, 10, 5, 5, 1000, 100, 10'000, 40, 128, 1024};
constexpr Limits kAwsAlb{"AWS's ALB", 100, 5, 3, 5, 5, 5, 1000, 999, 50'000, 40, 128, 1024};

class CloudCheck {
 public:
  CloudCheck(const config::Config& config, Cloud cloud, Findings& out)
      : config_(config), aws_(cloud == Cloud::kAwsAlb), limits_(aws_ ? kAwsAlb : kAlb), out_(out) {}

  void run() {
    for (std::size_t i = 0; i < config_.listeners.size(); ++i)
      listener(config_.listeners[i], config::element_path("listeners", i));
    for (std::size_t i = 0; i < config_.server_groups.size(); ++i) {
      group(config_.server_groups[i], config::element_path("server_groups", i));
    }
  }

 private:
  void over(config::Place at, const std::string& path, std::size_t has, std::size_t most, const std::string& what) {
    if (has <= most) return;
    out_.push_back(
        finding("cloud-quota", at, path,
                std::to_string(has) + " " + what + ", and " + limits_.name + " takes at most " + std::to_string(most),
                "use fewer, split them, or ask for a higher quota"));
  }
  void missing(config::Place at, const std::string& path, const std::string& what) {
    out_.push_back(finding("cloud-missing", at, path, std::string(limits_.name) + " has no " + what,
                           "do without it there, or keep this proxy behind it"));
  }

  void listener(const config::Listener& l, const std::string& path) {
    over(l.name.at, path + ".rules", l.rules.size(), limits_.rules, "rules on one listener");
    if (l.bind.kind == config::Bind::Kind::kUnix) missing(l.bind.at, path + ".bind", "unix sockets");
    if (!l.explain_from.empty()) missing(l.explain_from[0].at, path + ".explain", "x-albatross-explain");
    each_action_list(l, path,
                     [this](const std::string& at, const std::vector<config::Action>& actions, const config::Rule* r) {
                       if (r != nullptr) rule(*r, at);
                       const std::string list = r != nullptr ? at + ".actions" : at;
                       over(actions[0].at, list, actions.size(), limits_.actions, "actions of one rule");
                       for (std::size_t i = 0; i < actions.size(); ++i)
                         action(actions[i], config::element_path(list, i));
                     });
  }

  void rule(const config::Rule& r, const std::string& path) {
    over(r.priority.at, path + ".priority", *r.priority, limits_.priority, "is the priority");
    std::size_t wildcards = 0, values = 0;
    for (const Condition& c : r.conditions) {
      values += c.kind == Kind::kSourceIp ? c.networks.size() : c.patterns.size();
      for (const config::Pattern& p : c.patterns) wildcards += p.kind == config::Pattern::Kind::kWildcard ? 1 : 0;
      condition(c, path + ".conditions");
    }
    over(r.name.at, path + ".conditions", r.conditions.size(), limits_.conditions, "conditions of one rule");
    if (aws_) over(r.name.at, path + ".conditions", values, 5, "values in one rule");
    over(r.name.at, path + ".conditions", wildcards, limits_.wildcards, "wildcards in one rule");
    if (r.timeouts.response) missing(r.timeouts.response->at, path + ".timeouts", "timeouts of a rule");
    if (r.body_limit) missing(r.body_limit->at, path + ".limits", "limits of a rule");
  }

  void condition(const Condition& c, const std::string& path) {
    for (const Condition& inner : c.inner) condition(inner, path);
    const std::size_t values = c.kind == Kind::kSourceIp ? c.networks.size() : c.patterns.size();
    over(c.at, path, values, c.kind == Kind::kSourceIp ? std::min<std::size_t>(5, limits_.values) : limits_.values,
         "values of one condition");
    if (c.kind == Kind::kHeader) over(c.at, path, c.name.size(), limits_.header_name, "bytes in a header's name");
    switch (c.kind) {
      case Kind::kNot: missing(c.at, path, "condition not"); break;
      case Kind::kAny: missing(c.at, path, "condition any; the values of one condition are alternatives"); break;
      case Kind::kTime: missing(c.at, path, "condition time"); break;
      case Kind::kSni: missing(c.at, path, "condition sni"); break;
      case Kind::kAlpn: missing(c.at, path, "condition alpn"); break;
      case Kind::kItems: missing(c.at, path, "condition on the items of a header"); break;
      case Kind::kCookie:
        if (aws_) missing(c.at, path, "condition cookie; match the header cookie");
        break;
      default: break;
    }
    for (const config::Pattern& p : c.patterns) pattern(c, p, path);
  }

  void pattern(const Condition& c, const config::Pattern& p, const std::string& path) {
    static const std::set<std::string> kMethods = {"HEAD", "GET", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"};
    if (p.kind == config::Pattern::Kind::kRange) return missing(p.at, path, "condition on a range");
    over(p.at, path, p.text.size(), limits_.header_value, "bytes in a value");
    if (c.kind == Kind::kMethod && !aws_ && !kMethods.contains(p.text))
      missing(p.at, path, "condition on method " + p.text);
    const bool regex = p.kind == config::Pattern::Kind::kRegex;
    if (regex && c.kind != Kind::kHost && c.kind != Kind::kPath && c.kind != Kind::kHeader) {
      missing(p.at, path, "regex for this kind of condition");
    }
  }

  void action(const config::Action& a, const std::string& path) {
    using K = config::Action::Kind;
    switch (a.kind) {
      case K::kForward: forward(a, path); break;
      case K::kFixedResponse:
        over(a.at, path, a.fixed_response.body->size(), limits_.body, "bytes of a fixed response");
        break;
      case K::kRedirect:
        if (aws_ && *a.redirect.code != 301 && *a.redirect.code != 302)
          missing(a.at, path, "redirect with code " + std::to_string(*a.redirect.code));
        break;
      case K::kInsertHeader:
      case K::kRemoveHeader:
        if (aws_) missing(a.at, path, "action that edits a header of the request in a rule");
        break;
      case K::kRewrite: break;
    }
  }

  void forward(const config::Action& a, const std::string& path) {
    over(a.at, path, a.forward.groups.size(), limits_.groups, "groups of one forward action");
    for (const auto& g : a.forward.groups)
      over(g.weight.at, path, *g.weight, limits_.weight, "is the weight of " + *g.name);
    if (a.forward.rollout) missing(a.forward.rollout->at, path + ".rollout", "rollouts");
  }

  void group(const config::ServerGroup& g, const std::string& path) {
    over(g.name.at, path + ".servers", g.servers.size(), limits_.servers, "servers of one group");
    for (const config::Server& s : g.servers) {
      if (s.is_unix) missing(s.address.at, path + ".servers", "servers on unix sockets");
      if (!s.is_unix && !is_address(s.host)) missing(s.address.at, path + ".servers", "servers by name");
      if (s.backup) missing(s.backup.at, path + ".servers", "backup servers");
      if (*s.max_requests != 0) missing(s.max_requests.at, path + ".servers", "limits of servers");
    }
    if (g.circuit_breaker) missing(g.at, path + ".circuit_breaker", "circuit breaker");
    if (g.passive_check && !aws_) missing(g.at, path + ".passive_check", "passive checks");
    using S = config::ServerGroup::Scheduler;
    if (*g.scheduler == S::kP2c || *g.scheduler == S::kHash)
      missing(g.scheduler.at, path + ".scheduler", "such scheduler");
    if (aws_ && (*g.scheduler == S::kSch || *g.scheduler == S::kUch))
      missing(g.scheduler.at, path + ".scheduler", "such scheduler");
  }

  const config::Config& config_;
  const bool aws_;
  const Limits& limits_;
  Findings& out_;
};

}  // namespace

void lint_cloud(const config::Config& config, Cloud cloud, Findings& out) { CloudCheck(config, cloud, out).run(); }

}  // namespace albatross
