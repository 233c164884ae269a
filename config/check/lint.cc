#include "config/check/lint.h"

#include <string>
#include <vector>

namespace albatross::config {
namespace {

class Lint {
 public:
  Lint(const Config& config, Diagnostics& out) : config_(config), out_(out) {}

  void run() {
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
      visit_rules(config_.listeners[i].rules, element_path("listeners", i) + ".rules");
      visit(config_.listeners[i].default_actions, element_path("listeners", i) + ".default_actions");
    }
    for (const RuleSet& set : config_.rule_sets) visit_rules(set.rules, "rule_sets." + *set.name);
    warn_groups();
    warn_admin();
  }

 private:
  void visit_rules(const std::vector<Rule>& rules, const std::string& path) {
    for (std::size_t i = 0; i < rules.size(); ++i) visit(rules[i].actions, element_path(path, i) + ".actions");
  }

  void visit(const std::vector<Action>& actions, const std::string& path) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
      const Action& action = actions[i];
      if (action.kind == Action::Kind::kRedirect) warn_redirect(action, element_path(path, i) + ".redirect");
    }
  }

  void warn_redirect(const Action& action, const std::string& path) {
    const Redirect& to = action.redirect;
    if (to.protocol || to.host || to.port || to.path || to.query) return;
    out_.warning(action.at, path, "the redirect changes nothing, so it leads back to the same address",
                 "give protocol, host, port, path or query");
  }

  void warn_groups() {
    for (std::size_t i = 0; i < config_.server_groups.size(); ++i) {
      const ServerGroup& group = config_.server_groups[i];
      if (group.servers.empty()) {
        out_.warning(group.at, element_path("server_groups", i) + ".servers", "the group has no servers",
                     "requests to it get 503");
      }
    }
  }

  void warn_admin() {
    for (const Bind& bind : config_.admin.binds) warn_admin(bind);
  }

  void warn_admin(const Bind& bind) {
    const bool everywhere = bind.host.empty() || bind.host == "0.0.0.0" || bind.host == "::";
    if (!bind.at.written() || bind.kind != Bind::Kind::kTcp || !everywhere || config_.admin.token.written()) return;
    out_.warning(bind.at, "admin.bind",
                 "anyone who can connect can read the status, and nobody can reload without a token",
                 "write 127.0.0.1:" + std::to_string(bind.port) + ", or add a token if every address is meant");
  }

  const Config& config_;
  Diagnostics& out_;
};

}  // namespace

void lint(const Config& config, Diagnostics& out) { Lint(config, out).run(); }

}  // namespace albatross::config
