// Explains by a configuration that does not run.
#include <algorithm>

#include "base/text.h"
#include "http/uri.h"
#include "lint/group_view.h"
#include "routing/balancing/balancer_settings.h"

namespace albatross {
namespace {

std::vector<std::string> names_of(const config::Config& config) {
  std::vector<std::string> out;
  for (const config::Listener& l : config.listeners) out.push_back(*l.name);
  return out;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < 8; ++i) out += (i == 0 ? "" : ", ") + names[i];
  return out;
}

// The servers of a group, each as it would be after its first good probe. A name stands for one server.
GroupView view_of(const config::Config& config, const config::ServerGroup& group, ServerTable& table) {
  const BalancerSettings settings = balancer_settings(group);
  std::vector<std::shared_ptr<ServerSlot>> slots;
  std::vector<Candidate> candidates;
  std::vector<std::string> zones;
  for (const config::Server& s : group.servers) {
    slots.push_back(table.slot(group.name, *s.address));
    slots.back()->weight.store(s.weight);
    slots.back()->health.store(Health::kHealthy);
    const bool local = group.zone_affinity && !config.zone->empty() && *s.zone == *config.zone;
    candidates.push_back({slots.back().get(), s.backup, local, s.max_requests, nullptr});
    zones.push_back(*s.zone);
  }
  const std::shared_ptr<GroupSlot> slot = table.group(group.name);
  return view_of(settings, scheduler_name(group.scheduler), *slot, std::move(candidates), nullptr, zones,
                 group.fail_open, 0);
}

std::uint16_t usual_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

}  // namespace

const config::Listener* listener_for(const config::Config& config, const std::string& name,
                                     const ExplainRequest& request, std::string& error) {
  if (!name.empty()) {
    for (const config::Listener& l : config.listeners) {
      if (*l.name == name) return &l;
    }
    error = "no listener is named " + name + "; there are " + listed(names_of(config));
    return nullptr;
  }
  if (config.listeners.size() == 1) return &config.listeners[0];
  const std::size_t colon = request.url.find("://");
  const std::string scheme = ascii_lower(request.url.substr(0, colon == std::string::npos ? 0 : colon));
  std::vector<const config::Listener*> fit;
  if (!scheme.empty()) {
    const std::string rest = request.url.substr(colon + 3);
    const std::string_view port = port_of(std::string_view(rest).substr(0, rest.find_first_of("/?#")));
    const unsigned wanted =
        port.empty() ? usual_port(scheme) : static_cast<unsigned>(std::atoi(std::string(port).c_str()));
    std::vector<const config::Listener*> by_scheme;
    for (const config::Listener& l : config.listeners) {
      if ((*l.protocol == config::Listener::Protocol::kHttps) != (scheme == "https")) continue;
      by_scheme.push_back(&l);
      if (l.bind.port == wanted) fit.push_back(&l);
    }
    if (fit.empty() && port.empty()) fit = by_scheme;
  }
  if (fit.size() == 1) return fit[0];
  error = "which listener? give --listener, one of " + listed(names_of(config));
  return nullptr;
}

nlohmann::ordered_json explain(const config::Config& config, const config::Listener& listener,
                               const ExplainRequest& request, config::Diagnostics& out) {
  const auto at = static_cast<std::size_t>(&listener - config.listeners.data());
  const std::string path = config::element_path("listeners", at);
  ServerTable table;
  const std::shared_ptr<const RuleTable> rules = RuleTable::compile(listener, path, out);
  const Routes routes = compile_routes(listener, path, table, out);
  if (!rules || !out.ok()) return {{"error", "the configuration has errors"}};
  const std::unique_ptr<RuleTable::Matcher> matcher = rules->make_matcher();
  const FindGroup find = [&](const std::string& name) -> std::optional<GroupView> {
    for (const config::ServerGroup& g : config.server_groups) {
      if (*g.name == name) return view_of(config, g, table);
    }
    return std::nullopt;
  };
  return explain({listener, *matcher, routes, listener.bind.port}, find, request);
}

}  // namespace albatross
