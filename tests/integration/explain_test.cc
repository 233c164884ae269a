// explain agrees with the data path: random tables and random requests, each sent through a real socket and explained
// by the file and by the running process.
#include <random>

#include "config/load.h"
#include "control/admin/explain_live.h"
#include "lint/explain.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;
using albatross::ExplainRequest;
using Json = nlohmann::ordered_json;
using Catch::Matchers::ContainsSubstring;

namespace {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::string of(const std::vector<std::string>& all) { return all[below(all.size())]; }

 private:
  std::mt19937_64 engine_;
};

const std::vector<std::string> kHosts = {"a.example", "b.example", "x.a.example", "A.Example:81", "[::1]"};
const std::vector<std::string> kSegments = {"a", "b", "v1", "A", "a.b", "%41", "%2e", "..", ".", "", "é", "x%20y"};
const std::vector<std::string> kValues = {"1", "2", "abc", "a, b", "Mobile/2", ""};
const std::vector<std::string> kMethods = {"GET", "POST", "PUT", "OPTIONS"};

std::string random_path(Chance& chance) {
  std::string path;
  for (std::size_t n = chance.below(4); n > 0; --n) path += "/" + chance.of(kSegments);
  return path.empty() ? "/" : path;
}

ExplainRequest random_request(Chance& chance) {
  ExplainRequest r;
  r.method = chance.of(kMethods);
  std::string target = chance.one_in(30) ? "/cut%2" : random_path(chance);
  if (chance.one_in(2)) target += "?k=" + chance.of({"1", "2", "a%20b", "a+b", ""}) + (chance.one_in(3) ? "&k=2" : "");
  r.url = target;
  r.headers.emplace_back("Host", chance.of(kHosts));
  for (const char* name : {"X-A", "x-a", "X_A", "User-Agent"}) {
    if (chance.one_in(3)) r.headers.emplace_back(name, chance.of(kValues));
  }
  if (chance.one_in(3)) r.headers.emplace_back("Cookie", "c=" + chance.of({"1", "2"}) + "; d=x");
  if (chance.one_in(4)) r.headers.emplace_back("X-Forwarded-For", chance.of({"6.6.6.6", "7.7.7.7, 127.0.0.1", "no"}));
  if (chance.one_in(4)) r.headers.emplace_back("X-Forwarded-Proto", "https");
  return r;
}

Json random_pattern(Chance& chance, const std::string& value) {
  switch (chance.below(4)) {
    case 0: return {{"exact", value}};
    case 1: return {{"wildcard", value.substr(0, value.size() / 2) + "*"}};
    case 2: return {{"regex", "[" + chance.of({"a-m", "0-4", "A-Z"}) + "]+$"}, {"ignore_case", chance.one_in(2)}};
    default: return {{"prefix", value}};
  }
}

Json random_condition(Chance& chance, int depth = 0) {
  const auto named = [&](const char* kind, const std::string& name) -> Json {
    return {{kind, {{"name", name}, {"values", {random_pattern(chance, chance.of(kValues))}}}}};
  };
  switch (chance.below(depth > 2 ? 7 : 8)) {
    case 0: return {{"host", {chance.one_in(2) ? Json("*.example") : Json("a.example")}}};
    case 1: return {{"path", {random_pattern(chance, random_path(chance))}}};
    case 2: return {{"path", {"~^/(a|b)/([^/]*)"}}};
    case 3: return named("header", chance.of({"x-a", "user-agent"}));
    case 4: return {{"cookie", {{"name", "c"}, {"values", {chance.of({"1", "*", "2"})}}}}};
    case 5: return {{"query", {{"name", "k"}, {"values", {chance.of({"1", "a b", "?", "*"})}}}}};
    case 6: return chance.one_in(2) ? Json{{"method", {chance.of(kMethods)}}} : Json{{"source_ip", {"127.0.0.0/8"}}};
    default: return {{"not", random_condition(chance, depth + 1)}};
  }
}

Json random_actions(Chance& chance, const std::string& name) {
  Json actions = Json::array();
  if (chance.one_in(3))
    actions.push_back({{"insert_header", {{"name", "x-edge"}, {"value", "${rule}/${1}/${header:x-a}/${client_ip}"}}}});
  if (chance.one_in(3)) actions.push_back({{"remove_header", {{"name", "x-a"}}}});
  if (chance.one_in(3)) actions.push_back({{"rewrite", {{"path", "/new/${2}${path}"}}}});
  if (chance.one_in(4)) actions.push_back({{"rewrite", {{"host", "other.example"}}}});
  switch (chance.below(3)) {
    case 0: actions.push_back({{"fixed_response", {{"body", name}}}}); break;
    case 1: actions.push_back({{"redirect", {{"path", "/to${path}"}, {"host", "r.example"}}}}); break;
    default: actions.push_back({{"forward", "app"}});
  }
  return actions;
}

// Rules that load; what the configuration refuses is drawn again.
Json random_rules(Chance& chance, std::size_t count) {
  Json rules = Json::array();
  while (rules.size() < count) {
    const std::string name = "r" + std::to_string(rules.size());
    Json rule{{"name", name}, {"priority", rules.size() + 1}, {"conditions", Json::array()}};
    for (std::size_t n = 1 + chance.below(2); n > 0; --n) rule["conditions"].push_back(random_condition(chance));
    rule["actions"] = random_actions(chance, name);
    const Json file{
        {"listeners",
         {{{"name", "web"}, {"bind", "127.0.0.1:0"}, {"rules", {rule}}, {"default_actions", {{{"forward", "app"}}}}}}},
        {"server_groups", {{{"name", "app"}, {"servers", {{{"address", "127.0.0.1:1"}}}}}}}};
    const std::string text = file.dump();
    albatross::config::Diagnostics out("", text);
    albatross::config::load({"", text, albatross::config::Format::kJson}, out);
    if (out.ok()) rules.push_back(std::move(rule));
  }
  return rules;
}

std::string yaml_of(const Json& rules, const std::string& server) {
  return Setup{.servers = {server},
               .listener = "trusted_proxies: " + std::string(rules.size() % 2 == 0 ? "[127.0.0.1]" : "[10.0.0.0/8]") +
                           "\nx_forwarded: {for: process}\nrules: " + rules.dump(),
               .log = false}
      .yaml();
}

// Without what explain cannot know.
void check_server_request(const Json& gets, const std::string& raw) {
  std::string held = raw;
  const Message m = read_message(Side::kRequest, held, [] { return std::string(); });
  CHECK(m.target() == gets["target"]);
  CHECK(m.method() == gets["method"]);
  CHECK(m.get("host") == gets["host"]);
  for (const auto& [name, value] : gets["sets"].items()) {
    if (name == "traceparent" || name == "X-Request-Id") continue;
    std::string all;
    for (const auto& [field, text] : m.fields) {
      if (lower_case(field) == lower_case(name)) all += (all.empty() ? "" : ", ") + text;
    }
    INFO(name);
    CHECK(all == value);
  }
  for (const Json& name : gets["drops"]) CHECK_FALSE(m.has(name.get<std::string>()));
}

void check(const Json& explained, const Message& answer) {
  for (const Json& rule : explained["rules"]) CHECK_FALSE(rule.contains("disagreement"));
  const Json& a = explained["answer"];
  if (a.contains("fixed_response")) {
    CHECK(answer.status() == a["fixed_response"]);
    CHECK(answer.body == a["body"]);
  } else if (a.contains("redirect")) {
    CHECK(answer.status() == a["redirect"]);
    CHECK(answer.get("location") == a["location"]);
  } else if (a.contains("cause")) {
    CHECK(answer.status() == a["status"]);
  } else {
    CHECK(answer.status() == 200);
    check_server_request(explained["server_gets"], answer.body);
  }
}

}  // namespace

TEST_CASE("explain agrees with what happens, over random tables and requests", "[explain]") {
  constexpr std::size_t kTables = 50, kRequests = 200;
  FakeUpstream up;
  Chance chance(20'261'127);
  TestProxy proxy(yaml_of(random_rules(chance, 3), up.address()));
  std::size_t refused = 0, matched = 0;
  for (std::size_t t = 0; t < kTables; ++t) {
    const std::string yaml = yaml_of(random_rules(chance, 1 + chance.below(12)), up.address());
    INFO(yaml);
    REQUIRE(proxy.reload(yaml).ok);
    albatross::config::Diagnostics out("", yaml);
    const auto config = albatross::config::load({"", yaml, albatross::config::Format::kYaml}, out);
    for (std::size_t i = 0; i < kRequests; ++i) {
      ExplainRequest request = random_request(chance);
      std::string head = request.method + " " + request.url + " HTTP/1.1\r\n";
      Json headers = Json::array();
      for (const auto& [name, value] : request.headers) {
        head += name + ": " + value + "\r\n";
        headers.push_back({name, value});
      }
      INFO(head);
      Client client(proxy.port());
      client.send(head + "\r\n");
      const Message answer = client.read_response();
      const Json by_file = albatross::explain(config, config.listeners[0], request, out);
      if (by_file.contains("error")) {
        CHECK(answer.status() == 400);
        ++refused;
        continue;
      }
      check(by_file, answer);
      if (!by_file["rule"].get<std::string>().ends_with("/default")) ++matched;
      if (i % 10 != 0) continue;
      const std::string body = Json{{"url", request.url}, {"method", request.method}, {"headers", headers}}.dump();
      const auto live = proxy.ask([&](albatross::Process& p) { return albatross::explain_live(p, body); });
      REQUIRE(live.status == 200);
      const Json running = Json::parse(live.body);
      check(running, answer);
      CHECK(running["rule"] == by_file["rule"]);
    }
  }
  // The vocabulary is such that all of it happens.
  CHECK(matched > kTables * kRequests / 5);
  CHECK(refused > 0);
}

TEST_CASE("explain tells why a rule does not match, and who would get the request", "[explain]") {
  FakeUpstream blue, green;
  const std::string yaml =
      Setup{.servers = {blue.address()},
            .listener =
                "rules:\n"
                "  - {name: testers, priority: 10, conditions: [{cookie: {name: canary, values: [always]}}], "
                "actions: [{forward: green}]}\n"
                "  - {name: api, priority: 20, conditions: [{host: ['*.example']}, {not: {method: [PUT]}}], "
                "actions: [{forward: {groups: [{name: app, weight: 95}, {name: green, weight: 5}]}}]}",
            .groups = "- {name: green, servers: [{address: \"" + green.address() +
                      "\", weight: 3}, {address: \"127.0.0.1:1\"}]}"}
          .yaml();
  TestProxy proxy(yaml);
  const auto live = [&](const Json& request) {
    const auto reply = proxy.ask([&](albatross::Process& p) { return albatross::explain_live(p, request.dump()); });
    return Json::parse(reply.body);
  };
  Json e = live({{"url", "http://a.example/x"}, {"headers", Json::array({Json::array({"Cookie", "canary=never"})})}});
  CHECK(e["rules"][0]["wanted"] == "cookie canary is always");
  CHECK(e["rules"][0]["found"] == "never");
  CHECK(e["rule"] == "web/api");
  CHECK(e["answer"]["forward"][0]["part"] == 0.95);
  CHECK(e["answer"]["forward"][1]["servers"][0]["part"].get<double>() > 0.029);
  CHECK(e["answer"]["forward"][1]["servers"][0]["part"].get<double>() < 0.0292);
  e = live({{"url", "http://a.example/x"}, {"method", "PUT"}});
  CHECK(e["rules"][1]["wanted"] == "not (method is PUT)");
  CHECK(e["rules"][1]["found"] == "method is PUT");
  CHECK(e["rule"] == "web/default");
  proxy.ask([&](albatross::Process& p) {
    p.changes().set_rule_weights("web/api", {{"green", 95}}, false, false);
    return p.changes().drain_server("app", blue.address(), std::nullopt, false, nullptr).ok();
  });
  e = live({{"url", "http://a.example/x"}});
  CHECK(e["answer"]["forward"][1]["weight"] == 95);
  CHECK(e["answer"]["forward"][1]["file_weight"] == 5);
  CHECK_THAT(e["answer"]["forward"][0]["servers"][0]["state"].get<std::string>(), ContainsSubstring("draining"));
  CHECK(e["answer"]["forward"][0].contains("nobody"));
  CHECK(live({{"url", "http://a.example/%zz"}})["error"].get<std::string>().starts_with("the proxy answers 400"));
  CHECK(live({{"url", "/x"}})["error"].get<std::string>().starts_with("the request has no host"));
  CHECK(live({{"listener", "none"}, {"url", "/x"}})["error"] == "no listener is named none; there are web");
}
