#include "lint/lints.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace albatross {
namespace {

using config::Diagnostic;

// Listeners share rule sets, so the same finding may come several times.
void drop_repeated(std::vector<Diagnostic>& all) {
  std::set<std::tuple<std::string, std::string, std::uint32_t, std::uint32_t>> seen;
  std::erase_if(all,
                [&seen](const Diagnostic& f) { return !seen.emplace(f.id, f.path, f.at.line, f.at.column).second; });
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

std::vector<Diagnostic> find_lints(const config::Config& config, std::int64_t now) {
  std::vector<Diagnostic> out;
  lint_rules(config, out);
  lint_redirects(config, out);
  lint_timers(config, out);
  lint_servers(config, out);
  lint_certificates(config, now, out);
  lint_exposure(config, out);
  drop_repeated(out);
  apply(config.lints, out);
  return out;
}

}  // namespace albatross
