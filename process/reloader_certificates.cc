// The part of the Reloader that takes up new files of certificates.
#include <algorithm>

#include <boost/asio/post.hpp>
#include <set>

#include "base/timestamp.h"
#include "process/reloader.h"
#include "tls/tls_server.h"

namespace albatross {
namespace {

constexpr Nanos kPatience = 10 * kSecond;
constexpr auto kAgain = std::chrono::milliseconds(500);

std::string date_of(std::int64_t seconds) {
  return std::string(Timestamp().text(static_cast<Nanos>(seconds) * kSecond).substr(0, 16)) + "Z";
}

const ListenerRuntime* named(const Snapshot& snapshot, const std::string& name) {
  const auto& all = snapshot.listeners;
  const auto found = std::find_if(all.begin(), all.end(), [&name](const auto& l) { return l->name == name; });
  return found == all.end() ? nullptr : found->get();
}

// The certificate that covers the name; null if none does.
const CertificateInfo* covering(const TlsServer& server, const std::string& name) {
  for (const CertificateInfo& c : server.certificates()) {
    if (std::find(c.names.begin(), c.names.end(), name) != c.names.end()) return &c;
  }
  return nullptr;
}

// Calls visit(listener, before, after) for those with other certificates than before.
template <class Visit>
void each_change(const Snapshot& before, const Snapshot& after, Visit visit) {
  for (const auto& now : after.listeners) {
    const ListenerRuntime* old = named(before, now->name);
    if (old != nullptr && old->tls && now->tls && old->tls != now->tls) visit(now->name, *old->tls, *now->tls);
  }
}

// Why the new certificates are worse than none: one that is in force would be replaced by one that has expired.
std::string expired(const Snapshot& before, const Snapshot& after, std::int64_t now) {
  std::string why;
  each_change(before, after, [&](const std::string& listener, const TlsServer& old, const TlsServer& next) {
    for (const CertificateInfo& c : next.certificates()) {
      const CertificateInfo* had = c.names.empty() ? nullptr : covering(old, c.names[0]);
      if (c.not_after >= now || had == nullptr || had->not_after < now) continue;
      why = c.file + " on listener " + listener + " has expired on " + date_of(c.not_after);
    }
  });
  return why;
}

// What the change does, for the event log: "web: shop.example until 2027-02-01T10:00Z".
std::vector<std::string> told(const Snapshot& before, const Snapshot& after) {
  std::vector<std::string> out;
  each_change(before, after, [&out](const std::string& listener, const TlsServer& old, const TlsServer& next) {
    for (const CertificateInfo& c : next.certificates()) {
      const CertificateInfo* had = c.names.empty() ? nullptr : covering(old, c.names[0]);
      if (had != nullptr && had->not_after == c.not_after && had->names == c.names) continue;
      const std::string name = c.names.empty() ? c.file : c.names[0];
      out.push_back(listener + ": " + name + " until " + date_of(c.not_after));
    }
    for (const CertificateInfo& c : old.certificates()) {
      for (const std::string& name : c.names) {
        if (covering(next, name) == nullptr)
          out.push_back(listener + ": none for " + name + " any more, its clients leave");
      }
    }
  });
  return out;
}

}  // namespace

void Reloader::certificates_changed() {
  certificates_pending_ = true;
  certificates_until_ = serving_.clock.now() + kPatience;
  build_groups();
}

void Reloader::build_certificates() {
  certificates_pending_ = false;
  building_ = true;
  Change c = change_in_force();
  c.ports = serving_.sockets.ports(*c.config, {});
  boost::asio::post(builder_, [this, c = std::move(c)] {
    const auto out = std::make_shared<config::Diagnostics>(c.config->file, "");
    auto built = std::make_shared<Built>(make(c, context_, *out));
    boost::asio::post(serving_.io, [this, built, out] {
      building_ = false;
      certificates_built(std::move(*built), *out);
      build_groups();
    });
  });
}

void Reloader::certificates_built(Built built, const config::Diagnostics& out) {
  if (!installer_.refusal().empty()) {
    certificates_pending_ = true;  // a hand-over may fail
    return;
  }
  std::string why;
  if (!out.ok()) {
    const auto& all = out.all();
    why = std::find_if(all.begin(), all.end(), [](const auto& d) {
            return d.severity == config::Diagnostic::Severity::kError;
          })->message;
  } else {
    why = expired(*serving_.snapshot, *built.snapshot, static_cast<std::int64_t>(serving_.clock.wall() / kSecond));
  }
  if (why.empty()) {
    const std::vector<std::string> changes = told(*serving_.snapshot, *built.snapshot);
    if (built.snapshot->listeners != serving_.snapshot->listeners) installer_.install(std::move(built), {});
    for (const std::string& what : changes) installer_.note(Level::kInfo, "new certificate on " + what);
    return;
  }
  if (serving_.clock.now() >= certificates_until_) {
    return installer_.note(Level::kError, "files of certificates have changed, but the old ones stay in use: " + why);
  }
  retry_.expires_after(kAgain);
  retry_.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    certificates_pending_ = true;
    build_groups();
  });
}

}  // namespace albatross
