// Lints: what in a correct configuration will hurt in production. Each has an id, the numbers that it is about, and a
// way out; docs/lints.md describes each. Pure functions of a configuration without errors; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross {

// What was found, and what could not be looked for.
struct Findings {
  std::vector<config::Diagnostic> all;
  std::vector<std::pair<std::string, std::string>> skipped;  // ids, and the numbers that are missing

  void push_back(config::Diagnostic one) { all.push_back(std::move(one)); }
  void skip(std::string id, std::string needs) { skipped.emplace_back(std::move(id), std::move(needs)); }
};

// A cloud whose load balancer could take the configuration, as far as it has what is used.
enum class Cloud : std::uint8_t { kNone, kAlb, kAwsAlb };

struct LintOptions {
  std::int64_t now = 0;        // seconds since 1970
  bool online = false;         // resolves names; blocks
  Cloud cloud = Cloud::kNone;  // whose quotas are checked
};

// All findings, without those that the file ignores and with the levels that it sets. Reads certificates.
Findings find_lints(const config::Config& config, const LintOptions& options);

// A warning with its id.
inline config::Diagnostic finding(std::string id, config::Place at, std::string path, std::string message,
                                  std::string hint) {
  return {
      config::Diagnostic::Severity::kWarning, at, std::move(path), std::move(message), std::move(hint), std::move(id)};
}

// "6", "0.5", "471".
std::string number_text(double value);

// Whether the host of a server is an address and no name.
bool is_address(const std::string& host);

// Calls visit(path, actions, rule) for the actions of each rule, and those by default with null.
using VisitActions =
    std::function<void(const std::string& path, const std::vector<config::Action>& actions, const config::Rule* rule)>;
void each_action_list(const config::Listener& listener, const std::string& path, const VisitActions& visit);

// One theme each; they append to `out`.
void lint_rules(const config::Config& config, Findings& out);                           // lints_rules.cc
void lint_redirects(const config::Config& config, Findings& out);                       // lints_redirects.cc
void lint_timers(const config::Config& config, Findings& out);                          // lints_timers.cc
void lint_servers(const config::Config& config, Findings& out);                         // lints_servers.cc
void lint_zones(const config::Config& config, Findings& out);                           // lints_zones.cc
void lint_groups(const config::Config& config, Findings& out);                          // lints_groups.cc
void lint_certificates(const config::Config& config, std::int64_t now, Findings& out);  // lints_certificates.cc
void lint_exposure(const config::Config& config, Findings& out);                        // lints_exposure.cc
void lint_names(const config::Config& config, Findings& out);                           // lints_names.cc
void lint_cloud(const config::Config& config, Cloud cloud, Findings& out);              // lints_cloud.cc

}  // namespace albatross
