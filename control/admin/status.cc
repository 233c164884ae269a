#include "control/admin/status.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace albatross {
namespace {

using nlohmann::json;

std::string_view health_text(Health h) {
  switch (h) {
    case Health::kHealthy: return "healthy";
    case Health::kUnhealthy: return "unhealthy";
    default: return "unchecked";
  }
}

// The weights of the rules that choose between groups.
json weights_json(const ListenerRuntime& l) {
  json out = json::object();
  for (const Route& r : l.rules->routes.all) {
    if (r.targets.size() < 2) continue;
    for (const ForwardTarget& t : r.targets) {
      json w{{"weight", t.weight.load()}};
      if (t.weight.load() != t.file_weight) w["file_weight"] = t.file_weight;
      out[r.address][t.slot->name] = w;
    }
  }
  return out;
}

json listener_json(const Control& control, const ListenerRuntime& l, const StatsTable<ListenerStats>& stats) {
  json out{{"name", l.name},
           {"address", control.address(l.name)},
           {"protocol", l.secure ? "https" : "http"},
           {"rules", l.rules->routes.all.size() - 1}};
  if (control.view().overrides.drained_listeners.contains(l.name)) out["draining"] = true;
  if (stats.has(l.name)) {
    std::uint64_t requests = 0;
    for (std::size_t c = 0; c < 6; ++c)
      requests += stats.sum(l.name, [c](const ListenerStats& s) { return s.requests[c].get(); });
    out["requests"] = requests;
    out["connections"] =
        stats.sum(l.name, [](const ListenerStats& s) { return s.connections.get() - s.connections_closed.get(); });
  }
  if (json weights = weights_json(l); !weights.empty()) out["weights"] = weights;
  for (const CertificateStatus& c : control.certificates()) {
    if (c.listener == l.name)
      out["certificates"].push_back({{"file", c.file}, {"names", c.names}, {"not_after", c.not_after}});
  }
  return out;
}

// Adds requests, failures and the time that answers take, since the start.
void add_traffic(json& out, const std::string& name, const StatsTable<ServerStats>& stats) {
  if (!stats.has(name)) return;
  auto sum = [&](Counter ServerStats::*field) {
    return stats.sum(name, [field](const ServerStats& s) { return (s.*field).get(); });
  };
  out["requests"] = sum(&ServerStats::started);
  out["in_flight"] = sum(&ServerStats::started) - sum(&ServerStats::ended);
  out["failures"] = sum(&ServerStats::failures);
  out["answers"] = sum(&ServerStats::answers);
  out["response_time_sum"] = static_cast<double>(sum(&ServerStats::latency)) / 1e6;
}

json group_json(const GroupRuntime& g, const StatsTable<GroupStats>& stats, const StatsTable<ServerStats>& servers,
                const std::map<Overrides::Key, std::shared_ptr<DrainStatus>>& drains, Nanos now) {
  json out{{"name", g.name}, {"servers", json::array()}};
  std::size_t usable = 0;
  for (const ServerEntry& e : g.servers) {
    Health h = e.slot->health.load(std::memory_order_relaxed);
    json s{{"address", e.slot->address}, {"weight", e.slot->weight.load()}, {"health", health_text(h)}};
    if (e.slot->weight.load() != e.weight) s["file_weight"] = e.weight;
    if (e.slot->draining.load()) s["draining"] = true;
    if (e.backup) s["backup"] = true;
    if (auto it = drains.find({g.name, e.slot->address}); it != drains.end() && e.slot->draining.load()) {
      const DrainReport& r = it->second->report;
      s["drained"] = it->second->over;
      if (it->second->over)
        s["drain"] = {{"finished", r.finished},
                      {"moved", r.moved},
                      {"cut", r.cut()},
                      {"longest", static_cast<double>(r.longest) / 1e9}};
    }
    if (h == Health::kUnhealthy) s["last_failure"] = e.slot->last_failure;
    if (!e.zone.empty()) s["zone"] = e.zone;
    if (Nanos until = e.slot->ejected_until.load(); until > now) s["ejected"] = static_cast<double>(until - now) / 1e9;
    s["connections"] = e.slot->connections.load();
    add_traffic(s, g.name + "/" + e.slot->address, servers);
    if (e.slot->usable(now)) ++usable;
    out["servers"].push_back(std::move(s));
  }
  out["usable"] = usable;
  if (g.queues) out["waiting"] = g.slot->waiting.load();
  if (Nanos until = g.slot->open_until.load(); until != 0)
    out["circuit_open"] = until > now ? static_cast<double>(until - now) / 1e9 : 0.0;
  if (usable == 0 && !g.servers.empty() && g.fail_open) out["fail_open"] = true;
  if (stats.has(g.name)) {
    std::uint64_t requests = 0;
    for (std::size_t c = 0; c < 6; ++c)
      requests += stats.sum(g.name, [c](const GroupStats& s) { return s.requests[c].get(); });
    out["requests"] = requests;
    out["in_flight"] =
        stats.sum(g.name, [](const GroupStats& s) { return s.in_flight_started.get() - s.in_flight_ended.get(); });
    out["retries"] = stats.sum(g.name, [](const GroupStats& s) { return s.retries.get(); });
  }
  return out;
}

std::string text_of(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

json status(const Control& control) {
  const ProcessView view = control.view();
  json out{{"process", ::getpid()},           {"configuration", view.snapshot.generation},
           {"file", view.config.file},        {"draining", view.draining},
           {"workers", view.stats.workers()}, {"started", view.started_at / kSecond},
           {"listeners", json::array()},      {"server_groups", json::array()}};
  view.stats.visit([&](const auto& listeners, const auto& groups, const auto& servers, const auto&) {
    for (const auto& l : view.snapshot.listeners) out["listeners"].push_back(listener_json(control, *l, listeners));
    for (const auto& g : view.snapshot.groups)
      out["server_groups"].push_back(group_json(*g, groups, servers, view.drains, view.now));
  });
  return out;
}

// A member, or the element of a list that has that name or address; null if there is none.
const json* step(const json& from, const std::string& name) {
  if (from.is_object()) return from.contains(name) ? &from[name] : nullptr;
  for (const json& one : from) {
    if (one.is_object() && (one.value("name", "") == name || one.value("address", "") == name)) return &one;
  }
  return nullptr;
}

}  // namespace

std::string status_json(const Control& control) { return text_of(status(control)); }

std::string status_part(const Control& control, const std::vector<std::string>& path) {
  if (path.empty() || (path[0] != "listeners" && path[0] != "server_groups")) return "";
  const json whole = status(control);
  const json* at = &whole;
  for (const std::string& name : path) {
    at = at->is_structured() ? step(*at, name) : nullptr;
    if (at == nullptr) return "";
  }
  return text_of(*at);
}

}  // namespace albatross
