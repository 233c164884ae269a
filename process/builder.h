// From a Config to what workers serve by. Runs on the builder thread (or before start); touches nothing that runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/diagnostics.h"
#include "healthcheck/prober.h"
#include "process/overrides.h"
#include "proxy/snapshot.h"
#include "tls/ticket_keys.h"

namespace albatross {

// What names stand for at the moment of building: "localhost" and literals need no entry.
using Names = std::map<std::string, std::vector<IpAddress>>;

class Builder {
 public:
  Builder(ServerTable& servers, std::shared_ptr<TicketKeys> tickets, int workers, Overrides overrides)
      : servers_(servers), tickets_(std::move(tickets)), workers_(workers), overrides_(std::move(overrides)) {}

  // Compiles rules, templates, certificates. `ports`: what listeners are bound to, by name; absent: the configured
  // port.
  std::vector<std::shared_ptr<const ListenerRuntime>> listeners(const config::Config& config,
                                                                const std::map<std::string, std::uint16_t>& ports,
                                                                config::Diagnostics& out);
  std::vector<std::shared_ptr<const GroupRuntime>> groups(const config::Config& config, const Names& names,
                                                          config::Diagnostics& out);
  std::vector<ProbeTarget> probes(const config::Config& config,
                                  const std::vector<std::shared_ptr<const GroupRuntime>>& groups,
                                  config::Diagnostics& out);

  // The names that must be resolved for this configuration.
  static std::vector<std::string> names(const config::Config& config);

 private:
  std::uint32_t share_of(std::uint32_t whole) const;
  ServerTable& servers_;
  std::shared_ptr<TicketKeys> tickets_;
  int workers_;
  Overrides overrides_;
};

// Everything that `albatross check` looks at beyond config::load: patterns, templates, certificates, keys.
void check(const config::Config& config, config::Diagnostics& out);

}  // namespace albatross
