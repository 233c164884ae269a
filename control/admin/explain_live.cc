#include "control/admin/explain_live.h"

#include <algorithm>
#include <charconv>

#include "lint/group_view.h"

namespace albatross {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

ControlReply refused(int status, const std::string& why) { return {status, text_of({{"error", why}})}; }

std::string member(const Json& j, const char* key) {
  return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : "";
}

// Nothing if the body has no request.
std::optional<ExplainRequest> request_of(const Json& body) {
  ExplainRequest r;
  r.url = member(body, "url");
  if (r.url.empty()) return std::nullopt;
  if (const std::string method = member(body, "method"); !method.empty()) r.method = method;
  r.from = member(body, "from");
  for (const auto& [key, value] : {std::pair("sni", &r.sni), std::pair("alpn", &r.alpn)}) {
    if (body.contains(key)) *value = member(body, key);
  }
  if (body.contains("wall")) {
    if (!body["wall"].is_number_unsigned()) return std::nullopt;
    r.wall = body["wall"].get<Nanos>();
  }
  for (const Json& header : body.value("headers", Json::array())) {
    if (!header.is_array() || header.size() != 2 || !header[0].is_string() || !header[1].is_string())
      return std::nullopt;
    r.headers.emplace_back(header[0].get<std::string>(), header[1].get<std::string>());
  }
  return r;
}

GroupView view_of(const GroupRuntime& g, const std::string& scheduler, Nanos now) {
  std::vector<Candidate> candidates;
  std::vector<std::string> zones;
  for (const ServerEntry& e : g.servers) {
    const bool local = !g.zone.empty() && e.zone == g.zone;
    candidates.push_back({e.slot.get(), e.backup, local, e.max_requests, nullptr});
    zones.push_back(e.zone);
  }
  GroupView view =
      view_of(g.balancing, scheduler, *g.slot, std::move(candidates), g.hash_table, zones, g.fail_open, now);
  for (std::size_t i = 0; i < view.servers.size(); ++i) {
    const ServerSlot& slot = *g.servers[i].slot;
    if (slot.health.load() == Health::kUnhealthy) view.servers[i].state += ": " + slot.last_failure;
  }
  return view;
}

std::uint16_t port_of_address(const std::string& address) {
  std::uint16_t port = 0;
  const std::size_t colon = address.rfind(':');
  if (colon != std::string::npos) std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  return port;
}

}  // namespace

ControlReply explain_live(const Control& control, const std::string& body) {
  const Json asked = Json::parse(body, nullptr, false);
  const std::optional<ExplainRequest> request = asked.is_object() ? request_of(asked) : std::nullopt;
  if (!request) {
    return refused(422, "the body must be {\"url\": URL, \"method\": …, \"headers\": [[NAME, VALUE], …]}");
  }
  const ProcessView view = control.view();
  std::string error;
  const config::Listener* listener = listener_for(view.config, member(asked, "listener"), *request, error);
  if (listener == nullptr) return refused(404, error);
  const auto& running = view.snapshot.listeners;
  const auto runtime =
      std::find_if(running.begin(), running.end(), [&](const auto& l) { return l->name == *listener->name; });
  if (runtime == running.end()) return refused(404, "listener " + *listener->name + " does not run");
  const FindGroup find = [&view](const std::string& name) -> std::optional<GroupView> {
    std::string scheduler;
    for (const config::ServerGroup& g : view.config.server_groups) {
      if (*g.name == name) scheduler = scheduler_name(g.scheduler);
    }
    for (const auto& g : view.snapshot.groups) {
      if (g->name == name) return view_of(*g, scheduler, view.now);
    }
    return std::nullopt;
  };
  const std::unique_ptr<RuleTable::Matcher> matcher = (*runtime)->rules->table->make_matcher();
  const ExplainRules rules{*listener, *matcher, (*runtime)->rules->routes,
                           port_of_address(control.address(*listener->name))};
  const Json result = explain(rules, find, *request);
  return result.contains("error") ? refused(422, result["error"]) : ControlReply{200, text_of(result)};
}

std::string explained(const Control& control, const AskedRequest& asked) {
  Json headers = Json::array({Json::array({"Host", asked.host})});
  for (const auto& [name, value] : asked.headers) headers.push_back({name, value});
  const Json body{{"listener", asked.listener}, {"method", asked.method}, {"url", asked.target}, {"from", asked.peer},
                  {"sni", asked.sni},           {"alpn", asked.alpn},     {"headers", headers}};
  std::string text = explain_live(control, text_of(body)).body;
  while (text.ends_with('\n')) text.pop_back();
  return "explained " + asked.request_id + ": " + text;  // JSON shows the request without its raw bytes
}

}  // namespace albatross
