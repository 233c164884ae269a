// What the number of servers makes of probes and connections.
#include "config/diagnostics.h"
#include "config/scalar.h"
#include "lint/lints.h"

namespace albatross {
namespace {

// From this rate on a server that is small feels probes of its start page.
constexpr double kManyProbes = 5;

void find_probes(const config::ServerGroup& g, const config::Assumptions& assume, const std::string& path,
                 Findings& out) {
  if (!g.health_check) return;
  const config::HealthCheck& h = *g.health_check;
  if (*h.protocol != config::HealthCheck::Protocol::kHttp && *h.protocol != config::HealthCheck::Protocol::kHttps)
    return;
  const double seconds = static_cast<double>(h.interval->count()) / 1000;
  const double nodes = assume.nodes ? **assume.nodes : 1;
  const double each = nodes / seconds;
  if (*h.path != "/" || each < kManyProbes) return;
  const auto servers = static_cast<double>(g.servers.size());
  const std::string who = assume.nodes ? number_text(nodes) + " albatrosses ask" : "each albatross asks";
  out.push_back(finding("probe-multiplier", h.interval.at, path + ".health_check",
                        who + " each of " + number_text(servers) + " servers for / every " +
                            config::to_text(h.interval) + ": " + number_text(each) +
                            " requests a second on each server, " + number_text(each * servers) + " in all" +
                            (assume.nodes ? "" : ", times the number of albatrosses"),
                        "probe a path that costs the server little, or less often"));
}

void find_reuse(const config::ServerGroup& g, const std::string& path, Findings& out) {
  constexpr double kPorts = 28'232, kRest = 60;  // net.ipv4.ip_local_port_range, and seconds in TIME_WAIT
  if (!g.keep_alive_pool || **g.keep_alive_pool != 0) return;
  const double sources = g.source_addresses.empty() ? 1 : static_cast<double>(g.source_addresses.size());
  out.push_back(finding("no-reuse", g.keep_alive_pool->at, path + ".keep_alive.pool",
                        "no connection is kept, so each request takes a local port for " + number_text(kRest) +
                            " s: " + number_text(kPorts) + " ports / " + number_text(kRest) +
                            " s = " + number_text(kPorts * sources / kRest) +
                            " requests a second to each server at the most, then 503 no_ports",
                        "leave pool out, or add source_addresses"));
}

}  // namespace

void lint_servers(const config::Config& config, Findings& out) {
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const std::string path = config::element_path("server_groups", i);
    find_probes(config.server_groups[i], config.lints.assume, path, out);
    find_reuse(config.server_groups[i], path, out);
  }
}

}  // namespace albatross
