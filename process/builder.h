// Builds the parts that workers use from a Config. The Reloader makes one for each build and uses it on the builder
// thread, or on the control thread before the workers start. It changes nothing that runs.
//
// Parts that did not change are taken from the current snapshot: a listener's rules if their text is the same, a group
// if its text and its addresses are the same, certificates if the content of their files is the same.
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

// The addresses of names at the time of the build. "localhost" and address literals need no entry.
using Names = std::map<std::string, std::vector<IpAddress>>;

// The parts of the process that a build needs. All outlive the Builder.
struct BuildContext {
  ServerTable& servers;
  StatsRegistry& stats;
  std::shared_ptr<TicketKeys> tickets;
  int workers = 1;
};

class Builder {
 public:
  // `now`: the current snapshot; null at start.
  Builder(const BuildContext& context, std::shared_ptr<const Snapshot> now, Overrides overrides)
      : context_(context), now_(std::move(now)), overrides_(std::move(overrides)) {}

  // Compiles rules and templates, and loads certificates. `ports`: the ports that listeners are bound to, by name; a
  // listener that is absent has its configured port. Errors go to `out`.
  std::vector<std::shared_ptr<const ListenerRuntime>> listeners(const config::Config& config,
                                                                const std::map<std::string, std::uint16_t>& ports,
                                                                config::Diagnostics& out);
  std::vector<std::shared_ptr<const GroupRuntime>> groups(const config::Config& config, const Names& names,
                                                          config::Diagnostics& out);
  // `path` names the group in messages; `zone` is that of the process.
  std::shared_ptr<const GroupRuntime> group(const config::ServerGroup& g, const std::string& zone, const Names& names,
                                            const std::string& path, config::Diagnostics& out);
  // The probes of one group; empty if it has no health check.
  static std::vector<ProbeTarget> probes(const config::ServerGroup& g, const GroupRuntime& group,
                                         const std::string& path, config::Diagnostics& out);
  // Matchers for the rule sets that are new, one set for each worker.
  std::vector<Listeners::Matchers> matchers(const Snapshot& next) const;

  // The names that must be resolved for a configuration, or for one group.
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

// Checks the parts that config::load does not check: patterns, templates, certificates, keys. For `albatross check`;
// any thread.
void check(const config::Config& config, config::Diagnostics& out);

}  // namespace albatross
