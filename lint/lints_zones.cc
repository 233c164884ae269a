// What the places of servers make of failures, traffic and scaling.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "config/diagnostics.h"
#include "config/scalar.h"
#include "lint/lints.h"

namespace albatross {
namespace {

// The weights of the zones of a group. Empty if a server has no zone.
std::map<std::string, double> zone_weights(const config::ServerGroup& g) {
  std::map<std::string, double> out;
  for (const config::Server& s : g.servers) {
    if (s.backup || *s.weight == 0) continue;
    if (s.zone->empty()) return {};
    out[*s.zone] += *s.weight;
  }
  return out;
}

template <class Map>
double total_of(const Map& map) {
  double sum = 0;
  for (const auto& [key, value] : map) sum += value;
  return sum;
}

template <class Map>
auto largest_of(const Map& map) {
  return std::max_element(map.begin(), map.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
}

// Requests a second that each zone can take; nothing if it is not known of all, or there is only one.
std::map<std::string, double> capacities(const config::Config& config) {
  std::map<std::string, double> of_servers, out;
  std::map<std::string, bool> unknown;
  std::set<std::string> counted;  // a server may be in several groups
  for (const config::ServerGroup& g : config.server_groups) {
    for (const config::Server& s : g.servers) {
      if (s.backup || *s.weight == 0 || !counted.insert(*s.address).second) continue;
      of_servers[*s.zone] += *s.capacity;
      unknown[*s.zone] = unknown[*s.zone] || *s.capacity == 0;
    }
  }
  for (const config::Zone& z : config.zones) {
    if (*z.capacity == 0 || !of_servers.contains(*z.name)) continue;
    of_servers[*z.name] = *z.capacity;
    unknown[*z.name] = false;
  }
  for (const auto& [zone, missing] : unknown) {
    if (missing || zone.empty()) return {};
  }
  return of_servers.size() < 2 ? out : of_servers;
}

// By capacity and peak. False if they are not known.
bool find_headroom(const config::Config& config, Findings& out) {
  constexpr double kBusy = 0.9;  // more than that is no headroom
  const auto all = capacities(config);
  if (all.empty() || !config.lints.assume.peak) return false;
  const double peak = **config.lints.assume.peak;
  const auto largest = largest_of(all);
  const double rest = total_of(all) - largest->second;
  if (peak <= kBusy * rest) return true;
  const config::Place at = config.zones.empty() ? config.lints.assume.peak->at : config.zones[0].name.at;
  out.push_back(finding("zone-headroom", at, "zones",
                        "when zone " + largest->first + " fails, the others can take " + number_text(rest) + " of " +
                            number_text(peak) + " requests a second (lints.assume.peak): they are " +
                            number_text(100 * peak / rest) + " % busy, and over 90 % is no headroom",
                        "add servers until the others can take " + number_text(peak / kBusy) + " requests a second"));
  return true;
}

// By the weights, which say at least how the load grows.
void find_growth(const config::ServerGroup& g, const std::map<std::string, double>& weights, const std::string& path,
                 Findings& out) {
  const double total = total_of(weights);
  const auto largest = largest_of(weights);
  const double growth = total / (total - largest->second);
  if (growth <= 2) return;
  out.push_back(finding("zone-headroom", g.at, path + ".servers",
                        "zone " + largest->first + " has " + number_text(100 * largest->second / total) +
                            " % of the weight: when it fails, the other servers get " + number_text(growth) +
                            " times their load, so they must be under " + number_text(100 / growth) + " % busy",
                        "spread the weight evenly over the zones"));
}

// Requests that leave the zone where they came in. The albatrosses are taken to be where the servers are.
void find_crossing(const config::Config& config, const config::ServerGroup& g,
                   const std::map<std::string, double>& weights, const std::string& path, Findings& out) {
  const auto& peak = config.lints.assume.peak;
  if (!peak || (*g.zone_affinity && !config.zone->empty())) return;
  const double total = total_of(weights);
  double stays = 0;
  for (const auto& [zone, weight] : weights) stays += weight / total * (weight / total);
  const double leaves = (1 - stays) * **peak;
  out.push_back(
      finding("cross-zone", g.zone_affinity.written() ? g.zone_affinity.at : g.at, path + ".servers",
              "its servers are in " + std::to_string(weights.size()) + " zones, so up to " + number_text(leaves) +
                  " of " + number_text(**peak) + " requests a second (" + number_text(100 * (1 - stays)) +
                  " %) go to another zone than they came to, which clouds charge for in both directions",
              config.zone->empty() ? "write zone: at the top of each albatross's file, and zone_affinity: true here"
                                   : "write zone_affinity: true"));
}

}  // namespace

void lint_zones(const config::Config& config, Findings& out) {
  const bool known = find_headroom(config, out);
  if (!known)
    out.skip("zone-headroom", "capacity of all servers or zones, and lints.assume.peak; judged by weights alone");
  if (!config.lints.assume.peak) out.skip("cross-zone", "lints.assume.peak");
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const config::ServerGroup& g = config.server_groups[i];
    const std::string path = config::element_path("server_groups", i);
    const auto weights = zone_weights(g);
    if (weights.empty() || g.servers.size() < 2) continue;
    if (weights.size() == 1) {
      const std::string& zone = weights.begin()->first;
      const bool backed =
          std::any_of(g.servers.begin(), g.servers.end(), [&](const auto& one) { return *one.zone != zone; });
      if (backed) continue;  // by a backup in another zone
      out.push_back(finding("one-zone", g.at, path + ".servers",
                            "all " + std::to_string(g.servers.size()) + " servers are in zone " + zone +
                                ": when it fails, nobody is left",
                            "add servers in another zone"));
      continue;
    }
    if (!known) find_growth(g, weights, path, out);
    find_crossing(config, g, weights, path, out);
  }
}

}  // namespace albatross
