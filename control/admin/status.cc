#include "control/admin/status.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/version.h"
#include "control/admin/rollouts.h"

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

constexpr const char* kClasses[6] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

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
  std::uint64_t answers = 0;
  for (std::size_t c = 1; c < 6; ++c) {
    const std::uint64_t n = stats.sum(name, [c](const ServerStats& s) { return s.requests[c].get(); });
    out["responses"][kClasses[c]] = n;
    answers += n;
  }
  out["answers"] = answers;
  out["response_time_sum"] = static_cast<double>(sum(&ServerStats::latency)) / 1e6;
}

std::string in_a_row(std::uint32_t failures) { return std::to_string(failures) + " requests in a row failed"; }

// How much of its slow start a server has passed, 0 to 1.
double slow_start_share(const GroupRuntime& g, const ServerSlot& slot, Nanos now) {
  const Nanos window = g.balancing.slow_start.window, since = slot.slow_since.load();
  if (window == 0 || since == 0 || now >= since + window || now < since) return 1;
  return static_cast<double>(now - since) / static_cast<double>(window);
}

// Names in the group's configuration that have no address yet.
json without_address(const config::ServerGroup& configured, const GroupRuntime& g) {
  json out = json::array();
  if (!g.servers.empty()) return out;
  for (const config::Server& s : configured.servers) out.push_back(*s.address);
  return out;
}

// What happens to requests if no server is usable.
void add_outlook(json& out, const GroupRuntime& g) {
  bool any = false;
  for (const ServerEntry& e : g.servers) any |= !e.slot->draining.load() && e.slot->weight.load() > 0;
  out[any && g.fail_open ? "fail_open" : "no_server"] = true;
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
    if (Nanos until = e.slot->ejected_until.load(); until > now) {
      s["ejected"] = static_cast<double>(until - now) / 1e9;
      s["ejection"] = e.slot->failed_in_row.load() ? in_a_row(g.passive.failures) : e.slot->last_ejection;
    }
    if (const double share = slow_start_share(g, *e.slot, now); share < 1) s["slow_start"] = share;
    s["connections"] = e.slot->connections.load();
    add_traffic(s, g.name + "/" + e.slot->address, servers);
    if (e.slot->usable(now) && e.slot->weight.load() > 0) ++usable;
    out["servers"].push_back(std::move(s));
  }
  out["usable"] = usable;
  if (g.queues) out["waiting"] = g.slot->waiting.load();
  if (Nanos until = g.slot->open_until.load(); until != 0)
    out["circuit_open"] = until > now ? static_cast<double>(until - now) / 1e9 : 0.0;
  if (usable == 0) add_outlook(out, g);
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

json status(Control& control) {
  const ProcessView view = control.view();
  json out{{"process", ::getpid()},
           {"version", kVersion},
           {"commit", kCommit},
           {"configuration", view.snapshot.generation},
           {"file", view.config.file},
           {"draining", view.draining},
           {"workers", view.stats.workers()},
           {"started", view.started_at / kSecond},
           {"needs_restart", view.needs_restart},
           {"listeners", json::array()},
           {"server_groups", json::array()}};
  if (json rollouts = rollouts_json(control, true); !rollouts.empty()) out["rollouts"] = std::move(rollouts);
  if (const LastReload& last = view.last_reload; last.wall != 0) {
    out["last_reload"] = {{"time", last.wall / kSecond}, {"ok", last.ok}, {"message", last.message}};
  }
  view.stats.visit([&](const auto& listeners, const auto& groups, const auto& servers, const auto&) {
    for (const auto& l : view.snapshot.listeners) out["listeners"].push_back(listener_json(control, *l, listeners));
    for (const auto& g : view.snapshot.groups)
      out["server_groups"].push_back(group_json(*g, groups, servers, view.drains, view.now));
    for (json& group : out["server_groups"]) {
      for (const config::ServerGroup& configured : view.config.server_groups) {
        if (*configured.name != group["name"]) continue;
        const auto it = std::find_if(view.snapshot.groups.begin(), view.snapshot.groups.end(),
                                     [&configured](const auto& g) { return g->name == *configured.name; });
        json names = without_address(configured, **it);
        if (!names.empty()) group["without_address"] = std::move(names);
      }
    }
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

std::string status_json(Control& control) { return text_of(status(control)); }

std::string status_part(Control& control, const std::vector<std::string>& path) {
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
