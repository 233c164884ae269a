#include "lint/lints.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <tuple>

#include "base/ip.h"

namespace albatross {
namespace {

using config::Diagnostic;

// Listeners share rule sets, so the same finding may come several times.
void drop_repeated(std::vector<Diagnostic>& all) {
  std::set<std::tuple<std::string, std::string, std::uint32_t, std::uint32_t, std::string>> seen;
  std::erase_if(all, [&seen](const Diagnostic& f) {
    const bool several = f.id.starts_with("cloud-");  // one place may have several
    return !seen.emplace(f.id, f.path, f.at.line, f.at.column, several ? f.message : "").second;
  });
}

void apply(const config::Lints& settings, std::vector<Diagnostic>& all) {
  std::erase_if(all, [&settings](const Diagnostic& f) {
    return std::any_of(settings.ignore.begin(), settings.ignore.end(), [&f](const auto& id) { return *id == f.id; });
  });
  for (Diagnostic& f : all) {
    for (const auto& [id, level] : settings.levels) {
      if (*id != f.id) continue;
      f.severity =
          level == config::Lints::Level::kError ? Diagnostic::Severity::kError : Diagnostic::Severity::kWarning;
    }
  }
}

}  // namespace

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f" : "%.0f", value);
  std::string out = text;
  return out.ends_with(".0") ? out.substr(0, out.size() - 2) : out;
}

bool is_address(const std::string& host) {
  return host.find(':') != std::string::npos || IpAddress::parse(host).has_value();  // names have no colon
}

void each_action_list(const config::Listener& listener, const std::string& path, const VisitActions& visit) {
  const std::string rules = listener.rule_set.written() ? "rule_sets." + *listener.rule_set : path + ".rules";
  for (std::size_t i = 0; i < listener.rules.size(); ++i) {
    visit(config::element_path(rules, i), listener.rules[i].actions, &listener.rules[i]);
  }
  visit(path + ".default_actions", listener.default_actions, nullptr);
}

Findings find_lints(const config::Config& config, const LintOptions& options) {
  Findings out;
  lint_rules(config, out);
  lint_redirects(config, out);
  lint_timers(config, out);
  lint_servers(config, out);
  lint_zones(config, out);
  lint_groups(config, out);
  lint_certificates(config, options.now, out);
  lint_exposure(config, out);
  if (options.online) {
    lint_names(config, out);
  } else {
    out.skip("name-unresolved", "--online");
  }
  if (options.cloud != Cloud::kNone) lint_cloud(config, options.cloud, out);
  drop_repeated(out.all);
  apply(config.lints, out.all);
  return out;
}

}  // namespace albatross
