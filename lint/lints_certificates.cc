// Certificates that should have been renewed by now.
#include <algorithm>
#include <map>

#include "base/timestamp.h"
#include "config/diagnostics.h"
#include "lint/lints.h"
#include "tls/ticket_keys.h"
#include "tls/tls_server.h"

namespace albatross {
namespace {

constexpr std::int64_t kDay = 86'400;

struct Use {
  CertificateInfo info;
  config::Place at;
  std::string path;
  std::vector<std::string> listeners;
};

// By file, with the listeners that have it.
std::map<std::string, Use> uses(const config::Config& config) {
  std::map<std::string, Use> out;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    if (*l.protocol != config::Listener::Protocol::kHttps) continue;
    const std::string path = config::element_path("listeners", i);
    config::Diagnostics unused("", "");  // check has said it
    const auto tls = TlsServer::create(l, path, std::make_shared<TicketKeys>(), unused);
    if (!tls) continue;
    for (const CertificateInfo& info : tls->certificates()) {
      Use& use = out[info.file];
      for (std::size_t k = 0; k < l.certificates.size() && use.listeners.empty(); ++k) {
        if (*l.certificates[k].cert != info.file) continue;
        use.info = info;
        use.at = l.certificates[k].cert.at;
        use.path = config::element_path(path + ".certificates", k) + ".cert";
      }
      use.listeners.push_back(*l.name);
    }
  }
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace

// Renewal by ACME is due when a third of the life is left, so it has failed for some time.
void lint_certificates(const config::Config& config, std::int64_t now, std::vector<config::Diagnostic>& out) {
  constexpr std::int64_t kSoon = 30 * kDay;
  for (const auto& [file, use] : uses(config)) {
    const std::int64_t left = use.info.not_after - now, life = use.info.not_after - use.info.not_before;
    if (left < 0 || left >= kSoon || left * 3 >= life) continue;
    const std::string date(Timestamp().text(static_cast<Nanos>(use.info.not_after) * 1'000'000'000).substr(0, 10));
    out.push_back(finding("cert-expiring", use.at, use.path,
                          file + " expires on " + date + ": " + std::to_string(left / kDay) + " of its " +
                              std::to_string(life / kDay) + " days are left; then clients of " +
                              joined(use.info.names) + " are refused on listener " + joined(use.listeners),
                          "renew it, and find out why it was not renewed"));
  }
}

}  // namespace albatross
