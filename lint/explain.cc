#include "lint/explain.h"

#include <algorithm>
#include <set>

#include "base/arena.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "config/scalar.h"
#include "lint/incoming.h"
#include "routing/rules/account.h"
#include "routing/rules/listener_policy.h"

namespace albatross {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(std::string_view s) { return std::string(s); }

// The request on its way through the phases of an exchange.
class Walk {
 public:
  Walk(const ExplainRules& rules, const FindGroup& group, const ExplainRequest& request)
      : rules_(rules), group_(group), request_(request) {}

  Json run() {
    if (std::string why = read(rules_.listener, rules_.routes.header_names, rules_.port, request_, in_); !why.empty())
      return Json{{"error", why}};
    describe_request();
    match();
    act();
    describe_settings();
    return std::move(out_);
  }

 private:
  void describe_request();
  void match();
  void act();
  void describe_edits(const config::Rule* rule);
  void describe_server_request(const Fields& before);
  void describe_forward(const Route& route);
  void describe_settings();

  const Route& route() const { return rules_.routes.all[match_.rule]; }
  const config::Rule* rule() const {
    return match_.rule < rules_.listener.rules.size() ? &rules_.listener.rules[match_.rule] : nullptr;
  }
  TemplateValues values();

  const ExplainRules& rules_;
  const FindGroup& group_;
  const ExplainRequest& request_;
  Incoming in_;
  Arena& arena_ = in_.arena;
  Head& head_ = in_.head;
  RouteMatch match_;
  Json out_ = Json::object();
};

void Walk::describe_request() {
  Json& r = out_["request"];
  r["listener"] = *rules_.listener.name;
  r["method"] = text_of(head_.method_text);
  r["scheme"] = text_of(head_.scheme);
  r["host"] = text_of(head_.authority);
  r["path"] = text_of(head_.path);
  if (head_.has_query) r["query"] = text_of(head_.query);
  if (const std::string sent = in_.target.substr(0, in_.target.find('?')); sent != head_.path) r["sent_path"] = sent;
  for (const std::string& name : in_.dropped) r["dropped_for_underscore"].push_back(name);
  r["client"] = in_.client_text;
  if (in_.client_text != in_.peer_text) r["peer"] = in_.peer_text;
  if (in_.trusted) r["trusted_proxy"] = true;
  if (!in_.sni.empty()) r["sni"] = in_.sni;
  if (!in_.alpn.empty()) r["alpn"] = in_.alpn;
  if (request_.wall != 0) r["time"] = Timestamp().text(request_.wall);
}

void Walk::match() {
  const RouteQuery query = in_.query();
  match_ = rules_.matcher.match(query);
  Json& rules = out_["rules"] = Json::array();
  for (std::size_t i = 0; i < rules_.listener.rules.size() && i <= match_.rule; ++i) {
    const config::Rule& r = rules_.listener.rules[i];
    Json one{{"rule", *r.name}, {"priority", *r.priority}, {"matched", i == match_.rule}};
    const auto mismatch = first_mismatch(r, query);
    // The two evaluations are held together: a difference is a fault of ours, and better seen than guessed at.
    if (mismatch.has_value() == (i == match_.rule)) one["disagreement"] = "the compiled table says otherwise";
    if (mismatch) {
      one["wanted"] = mismatch->wanted;
      one["found"] = mismatch->found;
    } else {
      for (const config::Condition& c : r.conditions) one["conditions"].push_back(to_text(c));
    }
    rules.push_back(std::move(one));
  }
  out_["rule"] = route().address;
  for (std::size_t i = 0; i < Captures::kMax; ++i) {
    if (!match_.captures.group[i].empty()) {
      out_["captures"]["${" + std::to_string(i + 1) + "}"] = text_of(match_.captures.group[i]);
    }
  }
}

TemplateValues Walk::values() {
  TemplateValues v = request_values(head_, in_.believed, in_.port_text, match_.captures);
  v.client_ip = in_.client_text;
  v.client_port = "0";
  v.listener = *rules_.listener.name;
  v.rule = route().rule;
  v.request_id = "REQUEST-ID";
  return v;
}

// The field's lines that are there, "a, b".
std::string joined_values(const Fields& fields, std::string_view name) {
  std::string out;
  for (const Field& f : fields) {
    if (f.removed || !equals_ignore_case(f.name(), name)) continue;
    out += (out.empty() ? "" : ", ") + text_of(f.value());
  }
  return out;
}

void Walk::describe_edits(const config::Rule* rule) {
  const std::vector<config::Action>& actions = rule != nullptr ? rule->actions : rules_.listener.default_actions;
  Json& list = out_["actions"] = Json::array();
  for (const config::Action& a : actions) {
    using Kind = config::Action::Kind;
    switch (a.kind) {
      case Kind::kInsertHeader:
        list.push_back({{"insert_header", *a.header.name}, {"value", joined_values(head_.fields, *a.header.name)}});
        break;
      case Kind::kRemoveHeader: list.push_back({{"remove_header", *a.header.name}}); break;
      case Kind::kRewrite: {
        Json one{{"rewrite", Json::object()}};
        if (a.rewrite.host) one["rewrite"]["host"] = text_of(head_.authority);
        if (a.rewrite.path) one["rewrite"]["path"] = text_of(head_.path);
        if (a.rewrite.query) one["rewrite"]["query"] = text_of(head_.query);
        list.push_back(std::move(one));
        break;
      }
      case Kind::kForward:
      case Kind::kRedirect:
      case Kind::kFixedResponse: break;
    }
  }
}

void Walk::act() {
  const Route& route = this->route();
  Fields before(arena_);
  for (const auto& [name, value] : request_.headers) before.add(name, value);
  if (route.answer != Route::Answer::kFixedResponse) {
    const Refusal why = apply_edits(route, values(), encoded_slash_policy(rules_.listener), head_);
    if (why.cause != Cause::kNone) {
      out_["answer"] = {{"status", info(why.cause).status}, {"cause", std::string(info(why.cause).name)}};
      if (why.detail != nullptr) out_["answer"]["detail"] = why.detail;
      return;
    }
  }
  describe_edits(rule());
  switch (route.answer) {
    case Route::Answer::kFixedResponse:
      out_["answer"] = {{"fixed_response", route.code}, {"content_type", route.content_type}};
      out_["answer"]["body"] = route.body.substr(0, 200);
      break;
    case Route::Answer::kRedirect: {
      TemplateValues v = values();
      use_believed_host(v, in_.believed);
      out_["answer"] = {{"redirect", route.code}, {"location", text_of(redirect_location(route, v, arena_))}};
      break;
    }
    case Route::Answer::kForward:
      describe_server_request(before);
      describe_forward(route);
      break;
  }
}

void Walk::describe_server_request(const Fields& before) {
  Json& sees = out_["server_gets"];
  sees["method"] = text_of(head_.method_text);
  sees["target"] = text_of(head_.path) + (head_.has_query ? "?" + text_of(head_.query) : "");
  sees["host"] = text_of(head_.authority);
  std::set<std::string> names;
  Json added = Json::object(), removed = Json::array();
  for (const Field& f : head_.fields) {
    if (f.removed || !names.insert(ascii_lower(f.name())).second) continue;
    const std::string value = joined_values(head_.fields, f.name());
    if (joined_values(before, f.name()) != value) added[text_of(f.name())] = value;
  }
  for (const auto& [name, value] : request_.headers) {
    if (!equals_ignore_case(name, "host") && !names.contains(ascii_lower(name))) removed.push_back(name);
  }
  sees["sets"] = added;
  sees["drops"] = removed;
  sees["also_sets"] = {"X-Request-Id", "traceparent", "Albatross-Trace"};
}

void Walk::describe_forward(const Route& route) {
  std::uint64_t total = 0;
  for (const ForwardTarget& t : route.targets) total += t.weight.load();
  Json& answer = out_["answer"];
  answer["forward"] = Json::array();
  for (std::size_t i = 0; i < route.targets.size(); ++i) {
    const ForwardTarget& t = route.targets[i];
    const std::string& name = t.slot->name;
    // If every weight is 0, the first group gets every request.
    const double part =
        total == 0 ? (i == 0 ? 1.0 : 0.0) : static_cast<double>(t.weight.load()) / static_cast<double>(total);
    Json g{{"group", name}, {"weight", t.weight.load()}, {"part", part}};
    if (t.weight.load() != t.file_weight) g["file_weight"] = t.file_weight;
    if (const auto view = group_(name)) {
      g["scheduler"] = view->scheduler;
      g["servers"] = Json::array();
      for (std::size_t k = 0; k < view->servers.size(); ++k) {
        const ServerView& s = view->servers[k];
        Json server{{"address", s.address}, {"weight", s.weight}, {"state", s.state}, {"part", s.part}};
        if (!s.zone.empty()) server["zone"] = s.zone;
        if (s.backup) server["backup"] = true;
        if (s.slow_start < 1) server["slow_start"] = s.slow_start;
        if (view->next == static_cast<int>(k)) server["next"] = true;
        g["servers"].push_back(std::move(server));
      }
      if (view->next < 0) g["nobody"] = "no server takes requests: they get 503";
    }
    answer["forward"].push_back(std::move(g));
  }
  if (route.sticky != 0) {
    answer["sticky"] = {{"seconds", route.sticky / kSecond}, {"cookie", route.sticky_cookie}};
    if (const auto cookie = find_cookie(head_.fields, route.sticky_cookie))
      answer["sticky"]["keeps"] = text_of(*cookie);
  }
}

void Walk::describe_settings() {
  const RouteSettings& s = *route().settings;
  Json& t = out_["timeouts"];
  t["request_body"] = duration_text(s.timeouts.request_body);
  t["response"] = duration_text(s.timeouts.response);
  t["send"] = duration_text(s.timeouts.send);
  if (s.timeouts.total != 0) t["total"] = duration_text(s.timeouts.total);
  t["tunnel"] = duration_text(s.timeouts.tunnel);
  Json& l = out_["limits"];
  if (s.body_limit != ~std::uint64_t{0}) l["body"] = config::size_to_text(s.body_limit);
  l["request_body_rate"] = config::size_to_text(s.body_rate) + "/s";
}

}  // namespace

Json explain(const ExplainRules& rules, const FindGroup& group, const ExplainRequest& request) {
  return Walk(rules, group, request).run();
}

}  // namespace albatross
