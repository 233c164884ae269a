// Rules that no request reaches.
#include "config/diagnostics.h"
#include "lint/contains.h"
#include "lint/lints.h"
#include "routing/rules/account.h"

namespace albatross {
namespace {

// Two conditions of a rule that exclude each other.
void find_impossible(const config::Rule& rule, const std::string& path, Findings& out) {
  for (std::size_t i = 0; i < rule.conditions.size(); ++i) {
    for (std::size_t k = i + 1; k < rule.conditions.size(); ++k) {
      const config::Condition &a = rule.conditions[i], &b = rule.conditions[k];
      if (!exclude_each_other(a, b)) continue;
      out.push_back(
          finding("rule-impossible", rule.conditions[k].at, path + ".conditions",
                  "no request meets both: " + to_text(a) + ", and " + to_text(b),
                  "all conditions of a rule must hold; put the values into one condition, or write two rules"));
      return;
    }
  }
}

// The rules are sorted by priority: one that takes all of another's requests comes first.
void visit(const std::vector<config::Rule>& rules, const std::string& path, Findings& out) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string at = config::element_path(path, i);
    find_impossible(rules[i], at, out);
    for (std::size_t k = 0; k < i; ++k) {
      if (!implies(rules[i], rules[k])) continue;
      const std::string priorities =
          std::to_string(*rules[k].priority) + " is before " + std::to_string(*rules[i].priority);
      out.push_back(
          finding("rule-shadowed", rules[i].name.at, at,
                  "no request reaches it: each one that meets its conditions matches rule " + *rules[k].name +
                      " first (priority " + priorities + ")",
                  "give it a lower priority number than " + std::to_string(*rules[k].priority) + ", or remove it"));
      break;
    }
  }
}

}  // namespace

void lint_rules(const config::Config& config, Findings& out) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    visit(l.rules, l.rule_set.written() ? "rule_sets." + *l.rule_set : config::element_path("listeners", i) + ".rules",
          out);
  }
}

}  // namespace albatross
