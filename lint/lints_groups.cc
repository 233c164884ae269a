// Groups that get no requests, requests that need no group, and the autoscaler behind them.
#include <algorithm>
#include <set>

#include "config/diagnostics.h"
#include "config/scalar.h"
#include "lint/lints.h"
#include "routing/rules/account.h"

namespace albatross {
namespace {

void find_zero(const config::Action& action, const std::string& path, Findings& out) {
  const auto& groups = action.forward.groups;
  const bool all = std::all_of(groups.begin(), groups.end(), [](const auto& g) { return *g.weight == 0; });
  if (groups.empty() || !all) return;
  out.push_back(finding("weights-zero", action.at, path + ".forward.groups",
                        "the weights of all " + std::to_string(groups.size()) + " groups are 0, so " + *groups[0].name +
                            ", the first, gets every request",
                        "give at least one group a weight above 0"));
}

// Whether the path pattern is one of files that do not change, by its first segment or by its ending.
bool is_static(const config::Pattern& p) {
  static constexpr std::string_view kFolders[] = {"/static", "/assets", "/images", "/img",   "/video",    "/videos",
                                                  "/media",  "/css",    "/js",     "/fonts", "/downloads"};
  static constexpr std::string_view kEndings[] = {".js",  ".css",  ".png", ".jpg",   ".jpeg", ".gif", ".svg",
                                                  ".ico", ".webp", ".mp4", ".woff2", ".webm", ".zip"};
  if (p.kind == config::Pattern::Kind::kRegex || p.kind == config::Pattern::Kind::kRange) return false;
  const std::string_view text = p.text;
  const bool below = std::any_of(std::begin(kFolders), std::end(kFolders), [&](std::string_view folder) {
    const std::string_view rest = text.starts_with(folder) ? text.substr(folder.size()) : std::string_view("x");
    return rest.starts_with('/') || (rest.empty() && p.kind == config::Pattern::Kind::kPrefix);
  });
  return below || std::any_of(std::begin(kEndings), std::end(kEndings),
                              [&](std::string_view ending) { return text.ends_with(ending); });
}

void find_static(const config::Config& config, const config::Rule& rule, const std::string& path, Findings& out) {
  if (rule.actions.empty() || rule.actions.back().kind != config::Action::Kind::kForward) return;
  for (const config::Condition& c : rule.conditions) {
    if (c.kind != config::Condition::Kind::kPath || !std::all_of(c.patterns.begin(), c.patterns.end(), is_static))
      continue;
    const auto& peak = config.lints.assume.peak;
    const double rate = peak ? **peak : 1000;
    constexpr double kBits = 8 * 100e3;  // of a small picture, 100 KB
    out.push_back(finding("static-files", c.at, path + ".conditions",
                          "static files (" + to_text(c) + ") go through the proxy: " + number_text(rate) +
                              " requests a second for 100 KB each are " + number_text(rate * kBits / 1e6) +
                              " Mbit/s of capacity and of egress",
                          "let a CDN or an object store serve them, and redirect to it"));
    return;
  }
}

void find_cooldown(const config::Assumptions& assume, Findings& out) {
  if (!assume.boot_to_ready || !assume.scaling_cooldown) {
    return out.skip("scaling-cooldown", "lints.assume.boot_to_ready and lints.assume.scaling_cooldown");
  }
  const config::Duration boot = **assume.boot_to_ready, pause = **assume.scaling_cooldown;
  if (pause >= boot) return;
  const auto times = static_cast<double>(boot.count()) / static_cast<double>(std::max<std::int64_t>(pause.count(), 1));
  out.push_back(finding("scaling-cooldown", assume.scaling_cooldown->at, "lints.assume.scaling_cooldown",
                        "the autoscaler decides again after " + config::to_text(pause) + ", but a new server takes " +
                            config::to_text(boot) + " until its first request: it orders up to " + number_text(times) +
                            " times as many servers as are needed, and then removes them",
                        "make the cool-down longer than " + config::to_text(boot)));
}

}  // namespace

void lint_groups(const config::Config& config, Findings& out) {
  std::set<std::string> used;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    each_action_list(
        config.listeners[i], config::element_path("listeners", i),
        [&](const std::string& path, const std::vector<config::Action>& actions, const config::Rule* rule) {
          const std::string list = rule != nullptr ? path + ".actions" : path;
          for (std::size_t k = 0; k < actions.size(); ++k) {
            for (const auto& g : actions[k].forward.groups) used.insert(*g.name);
            find_zero(actions[k], config::element_path(list, k), out);
          }
          if (rule != nullptr) find_static(config, *rule, path, out);
        });
  }
  for (const config::RuleSet& set : config.rule_sets) {
    for (const config::Rule& r : set.rules) {
      for (const config::Action& a : r.actions) {
        for (const auto& g : a.forward.groups) used.insert(*g.name);
      }
    }
  }
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const config::ServerGroup& g = config.server_groups[i];
    if (used.contains(*g.name)) continue;
    out.push_back(finding("group-unused", g.name.at, config::element_path("server_groups", i) + ".name",
                          "no action forwards to " + *g.name + ", and its " + std::to_string(g.servers.size()) +
                              " servers are probed all the same",
                          "forward to it, or remove it"));
  }
  find_cooldown(config.lints.assume, out);
}

}  // namespace albatross
