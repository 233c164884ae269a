// From a Config to what workers serve by. Runs on the builder thread (or before start); touches nothing that runs.
//
// Parts of which nothing changed are taken over from what is served now: a listener's rules when its text is the same,
// a group when its text and its addresses are, a certificate set when its files say the same.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/diagnostics.h"
#include "healthcheck/prober.h"
#include "process/overrides.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "tls/ticket_keys.h"

namespace albatross {

// What names stand for at the moment of building: "localhost" and literals need no entry.
using Names = std::map<std::string, std::vector<IpAddress>>;

// What building needs of the process. All outlive the builder.
struct BuildContext {
  ServerTable& servers;
  StatsRegistry& stats;
  std::shared_ptr<TicketKeys> tickets;
  int workers = 1;
};

class Builder {
 public:
  // `now`: what is served at the moment; null at start.
  Builder(const BuildContext& context, std::shared_ptr<const Snapshot> now, Overrides overrides)
      : context_(context), now_(std::move(now)), overrides_(std::move(overrides)) {}

  // Compiles rules, templates, certificates. `ports`: what listeners are bound to, by name; absent: the configured
  // port.
  std::vector<std::shared_ptr<const ListenerRuntime>> listeners(const config::Config& config,
                                                                const std::map<std::string, std::uint16_t>& ports,
                                                                config::Diagnostics& out);
  std::vector<std::shared_ptr<const GroupRuntime>> groups(const config::Config& config, const Names& names,
                                                          config::Diagnostics& out);
  // `path` names it for messages; `zone`: ours.
  std::shared_ptr<const GroupRuntime> group(const config::ServerGroup& g, const std::string& zone, const Names& names,
                                            const std::string& path, config::Diagnostics& out);
  // Of one group; none if it has no check.
  static std::vector<ProbeTarget> probes(const config::ServerGroup& g, const GroupRuntime& group,
                                         const std::string& path, config::Diagnostics& out);
  // Each worker's matchers of rule sets that are new.
  std::vector<Listeners::Matchers> matchers(const Snapshot& next) const;

  // The names that must be resolved for this configuration, and for one group.
  static std::vector<std::string> names(const config::Config& config);
  static std::vector<std::string> names(const config::ServerGroup& group);

 private:
  std::uint32_t share_of(std::uint32_t whole) const;
  const ListenerRuntime* served(const std::string& listener) const;
  std::shared_ptr<const RuleSet> rules(const config::Listener& l, const std::string& path, config::Diagnostics& out);
  void add_servers(const config::ServerGroup& g, const Names& names, const std::string& path, const GroupRuntime* old,
                   GroupRuntime& into, config::Diagnostics& out);

  BuildContext context_;
  std::shared_ptr<const Snapshot> now_;
  Overrides overrides_;
};

// Everything that `albatross check` looks at beyond config::load: patterns, templates, certificates, keys.
void check(const config::Config& config, config::Diagnostics& out);

}  // namespace albatross
