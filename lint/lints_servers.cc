// What the number and the places of servers make of probes, connections and failures.
#include <algorithm>
#include <cstdio>
#include <map>

#include "config/diagnostics.h"
#include "config/scalar.h"
#include "lint/lints.h"

namespace albatross {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f" : "%.0f", value);
  std::string out = text;
  return out.ends_with(".0") ? out.substr(0, out.size() - 2) : out;
}

// From this rate on a server that is small feels probes of its start page.
constexpr double kManyProbes = 5;

void find_probes(const config::ServerGroup& g, const std::string& path, std::vector<config::Diagnostic>& out) {
  if (!g.health_check) return;
  const config::HealthCheck& h = *g.health_check;
  if (*h.protocol != config::HealthCheck::Protocol::kHttp && *h.protocol != config::HealthCheck::Protocol::kHttps)
    return;
  const double seconds = static_cast<double>(h.interval->count()) / 1000;
  const double each = 1 / seconds;
  if (*h.path != "/" || each < kManyProbes) return;
  out.push_back(finding("probe-multiplier", h.interval.at, path + ".health_check",
                        "each albatross asks each of " + std::to_string(g.servers.size()) + " servers for / every " +
                            config::to_text(h.interval) + ": " + number(each) + " requests a second on each server, " +
                            number(each * static_cast<double>(g.servers.size())) +
                            " in all, times the number of albatrosses",
                        "probe a path that costs the server little, or less often"));
}

void find_reuse(const config::ServerGroup& g, const std::string& path, std::vector<config::Diagnostic>& out) {
  constexpr double kPorts = 28'232, kRest = 60;  // net.ipv4.ip_local_port_range, and seconds in TIME_WAIT
  if (!g.keep_alive_pool || **g.keep_alive_pool != 0) return;
  const double sources = g.source_addresses.empty() ? 1 : static_cast<double>(g.source_addresses.size());
  out.push_back(finding("no-reuse", g.keep_alive_pool->at, path + ".keep_alive.pool",
                        "no connection is kept, so each request takes a local port for " + number(kRest) + " s: " +
                            number(kPorts) + " ports / " + number(kRest) + " s = " + number(kPorts * sources / kRest) +
                            " requests a second to each server at the most, then 503 no_ports",
                        "leave pool out, or add source_addresses"));
}

void find_zones(const config::ServerGroup& g, const std::string& path, std::vector<config::Diagnostic>& out) {
  std::map<std::string, std::uint64_t> weights;
  std::uint64_t total = 0;
  for (const config::Server& s : g.servers) {
    if (s.backup || *s.weight == 0) continue;
    if (s.zone->empty()) return;  // nothing is known of it
    weights[*s.zone] += *s.weight;
    total += *s.weight;
  }
  if (total == 0 || g.servers.size() < 2) return;
  if (weights.size() == 1) {
    out.push_back(finding("one-zone", g.at, path + ".servers",
                          "all " + std::to_string(g.servers.size()) + " servers are in zone " + weights.begin()->first +
                              ": when it fails, nobody is left",
                          "add servers in another zone"));
    return;
  }
  const auto largest = std::max_element(weights.begin(), weights.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
  const double rest = static_cast<double>(total - largest->second);
  const double growth = static_cast<double>(total) / rest;
  if (growth <= 2) return;
  out.push_back(finding("zone-headroom", g.at, path + ".servers",
                        "zone " + largest->first + " has " +
                            number(100.0 * static_cast<double>(largest->second) / static_cast<double>(total)) +
                            " % of the weight: when it fails, the other servers get " + number(growth) +
                            " times their load, so they must be under " + number(100 / growth) + " % busy",
                        "spread the weight evenly over the zones"));
}

}  // namespace

void lint_servers(const config::Config& config, std::vector<config::Diagnostic>& out) {
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const std::string path = config::element_path("server_groups", i);
    find_probes(config.server_groups[i], path, out);
    find_reuse(config.server_groups[i], path, out);
    find_zones(config.server_groups[i], path, out);
  }
}

}  // namespace albatross
