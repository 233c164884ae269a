// Lints: what in a correct configuration will hurt in production. Each has an id, the numbers that it is about, and a
// way out; docs/lints.md describes each. Pure functions of a configuration without errors; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross {

// All findings, without those that the file ignores and with the levels that it sets. Reads certificates. `now`:
// seconds since 1970.
std::vector<config::Diagnostic> find_lints(const config::Config& config, std::int64_t now);

// A warning with its id.
inline config::Diagnostic finding(std::string id, config::Place at, std::string path, std::string message,
                                  std::string hint) {
  return {
      config::Diagnostic::Severity::kWarning, at, std::move(path), std::move(message), std::move(hint), std::move(id)};
}

// One theme each; they append to `out`.
void lint_rules(const config::Config& config, std::vector<config::Diagnostic>& out);      // lints_rules.cc
void lint_redirects(const config::Config& config, std::vector<config::Diagnostic>& out);  // lints_redirects.cc
void lint_timers(const config::Config& config, std::vector<config::Diagnostic>& out);     // lints_timers.cc
void lint_servers(const config::Config& config, std::vector<config::Diagnostic>& out);    // lints_servers.cc
void lint_certificates(const config::Config& config, std::int64_t now,
                       std::vector<config::Diagnostic>& out);                            // lints_certificates.cc
void lint_exposure(const config::Config& config, std::vector<config::Diagnostic>& out);  // lints_exposure.cc

}  // namespace albatross
