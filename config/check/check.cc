#include "config/check/check.h"

#include "config/check/group.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace albatross::config {
namespace {

using Protocol = Listener::Protocol;

std::string how_to_add(const std::string& what, const std::string& name) {
  if (what == "rule set") return "add rule_sets: {" + name + ": [...]}";
  return "add server_groups: [{name: " + name + ", servers: [{address: \"127.0.0.1:3000\"}]}]";
}

// Reports the second use of a value that may be used once.
class Once {
 public:
  Once(Diagnostics& out, std::string what) : out_(out), what_(std::move(what)) {}
  void add(const std::string& key, Place place, const std::string& path) {
    const auto [first, fresh] = seen_.emplace(key, place);
    if (!fresh)
      out_.error(place, path, what_ + ' ' + key + " is used twice", "first on " + out_.place_text(first->second));
  }

 private:
  Diagnostics& out_;
  std::string what_;
  std::map<std::string, Place> seen_;
};

class Check {
 public:
  Check(const Config& config, Diagnostics& out) : config_(config), out_(out) {
    for (const ServerGroup& group : config.server_groups) groups_.push_back(group.name);
    for (const RuleSet& set : config.rule_sets) rule_sets_.push_back(set.name);
  }

  void run() {
    check_listeners();
    check_groups();
    for (const RuleSet& set : config_.rule_sets) check_rules(set.rules, "rule_sets." + set.name.value);
    check_admin();
  }

 private:
  void check_listeners() {
    Once names(out_, "the listener name"), binds(out_, "the address");
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
      const Listener& listener = config_.listeners[i];
      const std::string path = element_path("listeners", i);
      if (listener.name.written()) names.add(listener.name, listener.name.at, path + ".name");
      if (has_fixed_place(listener.bind)) binds.add(listener.bind.text, listener.bind.at, path + ".bind");
      check_tls(listener, path);
      check_rule_set(listener, path);
      check_rules(listener.rules, path + ".rules");
      check_actions(listener.default_actions, path + ".default_actions");
      const Value<XForwarded::For>& mode = listener.x_forwarded.forwarded_for;
      if (*mode == XForwarded::For::kProcess && listener.trusted_proxies.empty()) {
        out_.warning(mode.at, path + ".x_forwarded.for", "process works like append without trusted_proxies",
                     "add trusted_proxies");
      }
    }
    for (const Bind& bind : config_.admin.binds) {
      if (has_fixed_place(bind)) binds.add(bind.text, bind.at, "admin.bind");
    }
  }

  // Each bind to port 0 gets another port.
  static bool has_fixed_place(const Bind& bind) {
    return bind.at.written() && (bind.kind == Bind::Kind::kUnix || bind.port != 0);
  }

  void check_tls(const Listener& listener, const std::string& path) {
    if (*listener.protocol == Protocol::kHttps && listener.certificates.empty()) {
      out_.error(listener.protocol.at, path + ".protocol", "https needs certificates",
                 "add certificates: [{cert: …, key: …}]");
    }
    if (*listener.protocol != Protocol::kHttp) return;
    if (!listener.certificates.empty()) {
      out_.error(listener.certificates[0].at, path + ".certificates", "http does not use certificates",
                 "write protocol: https or remove them");
    }
    if (listener.security_policy.written()) {
      out_.warning(listener.security_policy.at, path + ".security_policy", "http does not use a security policy");
    }
  }

  void check_rule_set(const Listener& listener, const std::string& path) {
    if (!listener.rule_set.written()) return;
    if (!listener.rules.empty()) {
      out_.error(listener.rule_set.at, path + ".rule_set", "a listener takes rules or a rule_set, not both",
                 "move its rules into the rule set");
    }
    check_reference(listener.rule_set, path + ".rule_set", "rule set", rule_sets_);
  }

  void check_reference(const Value<std::string>& name, const std::string& path, const std::string& what,
                       const std::vector<std::string>& known) {
    if (!name.written()) return;
    for (const std::string& one : known) {
      if (one == *name) return;
    }
    if (known.empty() && has_error(what == "rule set" ? "rule_sets" : "server_groups")) return;
    const std::string near = nearest(*name, known);
    std::string hint = known.empty() ? how_to_add(what, *name) : near.empty() ? "" : "did you mean \"" + near + "\"?";
    if (near.empty() && known.size() <= 8) {
      for (const std::string& one : known) hint += (hint.empty() ? "known are " : ", ") + one;
    }
    out_.error(name.at, path, "no " + what + " is named " + *name, hint);
  }

  // Whether a list could not be read, which makes everything in it look undefined.
  bool has_error(const std::string& path) const {
    for (const Diagnostic& one : out_.all()) {
      if (one.severity == Diagnostic::Severity::kError && one.path == path) return true;
    }
    return false;
  }

  void check_rules(const std::vector<Rule>& rules, const std::string& path) {
    Once names(out_, "the rule name"), priorities(out_, "priority");
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const Rule& rule = rules[i];
      if (rule.name.written()) names.add(rule.name, rule.name.at, element_path(path, i) + ".name");
      if (rule.priority.written()) {
        priorities.add(std::to_string(*rule.priority), rule.priority.at, element_path(path, i) + ".priority");
      }
      check_actions(rule.actions, element_path(path, i) + ".actions");
    }
  }

  void check_actions(const std::vector<Action>& actions, const std::string& path) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
      if (actions[i].kind == Action::Kind::kForward) check_forward(actions[i], element_path(path, i) + ".forward");
    }
  }

  void check_forward(const Action& action, const std::string& path) {
    Once names(out_, "the server group");
    for (const WeightedGroup& group : action.forward.groups) {
      check_reference(group.name, path, "server group", groups_);
      if (group.name.written()) names.add(group.name, group.name.at, path);
    }
    if (action.forward.rollout) check_rollout(action.forward, path + ".rollout");
  }

  void check_rollout(const Forward& forward, const std::string& path) {
    const Value<std::string>& to = forward.rollout->to;
    if (!to.written()) return;  // the decoder has said it
    bool known = false;
    std::uint64_t others = 0;
    std::string names;
    for (const WeightedGroup& group : forward.groups) {
      names += (names.empty() ? "" : ", ") + *group.name;
      known = known || *group.name == *to;
      if (*group.name != *to) others += *group.weight;
    }
    if (!known) return out_.error(to.at, path + ".to", *to + " is none of the groups here", "they are " + names);
    if (others != 0) return;
    out_.warning(to.at, path + ".to", "no other group has a weight, so there is nothing to move to " + *to,
                 "roll out to the group of the next version, or remove the rollout");
  }

  void check_groups() {
    Once names(out_, "the server group name");
    for (std::size_t i = 0; i < config_.server_groups.size(); ++i) {
      const ServerGroup& group = config_.server_groups[i];
      const std::string path = element_path("server_groups", i);
      if (group.name.written()) names.add(group.name, group.name.at, path + ".name");
      Once addresses(out_, "the server");
      for (std::size_t k = 0; k < group.servers.size(); ++k) {
        const Value<std::string>& address = group.servers[k].address;
        if (address.written()) addresses.add(address, address.at, element_path(path + ".servers", k) + ".address");
      }
      check_group(config_, group, path, out_);
    }
  }

  void check_admin() {
    const auto& binds = config_.admin.binds;
    const bool tcp = std::any_of(binds.begin(), binds.end(), [](const Bind& b) { return b.kind == Bind::Kind::kTcp; });
    if (config_.admin.token.written() && !binds.empty() && !tcp) {
      out_.warning(config_.admin.token.at, "admin.token",
                   "the token is used over TCP only; the file mode protects a unix socket");
    }
  }

  const Config& config_;
  Diagnostics& out_;
  std::vector<std::string> groups_;
  std::vector<std::string> rule_sets_;
};

}  // namespace

void check(const Config& config, Diagnostics& out) { Check(config, out).run(); }

}  // namespace albatross::config
