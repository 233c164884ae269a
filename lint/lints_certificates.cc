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

std::string date_of(std::int64_t seconds) {
  return std::string(Timestamp().text(static_cast<Nanos>(seconds) * 1'000'000'000).substr(0, 10));
}

// Certificates that live for longer than any that is renewed by a program, and end in the same week.
void find_cascade(const std::map<std::string, Use>& all, Findings& out) {
  constexpr std::int64_t kByHand = 100 * kDay, kTogether = 7 * kDay;
  for (const auto& [file, first] : all) {
    if (first.info.not_after - first.info.not_before <= kByHand) continue;
    std::vector<std::string> files, listeners;
    for (const auto& [other_file, other] : all) {
      const std::int64_t later = other.info.not_after - first.info.not_after;
      if (later < 0 || later > kTogether || other.info.not_after - other.info.not_before <= kByHand) continue;
      files.push_back(other_file);
      for (const std::string& l : other.listeners) {
        if (std::find(listeners.begin(), listeners.end(), l) == listeners.end()) listeners.push_back(l);
      }
    }
    if (listeners.size() < 2) continue;
    out.push_back(finding("cert-cascade", first.at, first.path,
                          std::to_string(listeners.size()) + " listeners (" + joined(listeners) +
                              ") stop on one day: " + joined(files) + (files.size() == 1 ? " ends" : " end") +
                              " within a week of " + date_of(first.info.not_after) +
                              ", and certificates that live for " +
                              std::to_string((first.info.not_after - first.info.not_before) / kDay) +
                              " days are renewed by hand as a rule",
                          "renew them by a program, at different times"));
    return;  // the earliest file tells it all
  }
}

}  // namespace

// Renewal by ACME is due when a third of the life is left, so it has failed for some time.
void lint_certificates(const config::Config& config, std::int64_t now, Findings& out) {
  constexpr std::int64_t kSoon = 30 * kDay;
  const std::map<std::string, Use> all = uses(config);
  find_cascade(all, out);
  for (const auto& [file, use] : all) {
    const std::int64_t left = use.info.not_after - now, life = use.info.not_after - use.info.not_before;
    if (left < 0 || left >= kSoon || left * 3 >= life) continue;
    out.push_back(finding("cert-expiring", use.at, use.path,
                          file + " expires on " + date_of(use.info.not_after) + ": " + std::to_string(left / kDay) +
                              " of its " + std::to_string(life / kDay) + " days are left; then clients of " +
                              joined(use.info.names) + " are refused on listener " + joined(use.listeners),
                          "renew it, and find out why it was not renewed"));
  }
}

}  // namespace albatross
