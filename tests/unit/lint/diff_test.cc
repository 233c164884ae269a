// What a change does to routing is found by requests that are built from the conditions.
#include "lint/diff.h"

#include <random>
#include <set>
#include <sstream>

#include "config/load.h"
#include "lint/incoming.h"
#include "lint/outcome.h"
#include "tests/support/catch.h"

using namespace albatross;
using Json = nlohmann::ordered_json;

namespace {

config::Config load(const Json& rules) {
  const auto group = [](const char* name) {
    return Json{{"name", name}, {"servers", Json::array({{{"address", "127.0.0.1:1"}}})}};
  };
  const Json listener{
      {"name", "web"}, {"bind", ":80"}, {"rules", rules}, {"default_actions", Json::array({{{"forward", "app"}}})}};
  const Json file{{"listeners", Json::array({listener})},
                  {"server_groups", Json::array({group("app"), group("blue")})}};
  const std::string text = file.dump();
  config::Diagnostics out("", text);
  config::Config config = config::load({"", text, config::Format::kJson}, out);
  std::ostringstream errors;
  out.print(errors);
  INFO(text << errors.str());
  REQUIRE(out.ok());
  return config;
}

Json compare(const config::Config& before, const config::Config& after, std::istream* log = nullptr) {
  config::Diagnostics out("", "");
  Json result = diff(before, after, log, out);
  REQUIRE(out.ok());
  return result;
}

Json rule(const std::string& name, const std::string& conditions,
          const std::string& action = R"({"forward": "blue"})") {
  static int priority = 0;
  return {{"name", name},
          {"priority", ++priority},
          {"conditions", Json::parse(conditions)},
          {"actions", {Json::parse(action)}}};
}

}  // namespace

TEST_CASE("a change is told with a request that shows it") {
  const auto before = load(Json::array({rule("api", R"([{"path": {"prefix": "/api"}}])")}));
  const auto after = load(
      Json::array({rule("v2", R"([{"path": {"prefix": "/api/v2"}}, {"header": {"name": "x-new", "values": ["yes"]}}])",
                        R"({"fixed_response": {"code": 404}})"),
                   rule("api", R"([{"path": {"prefix": "/api"}}])")}));
  const Json result = compare(before, after);
  REQUIRE(result["routes"].size() == 1);
  const Json& d = result["routes"][0];
  CHECK(d["listener"] == "web");
  CHECK(d["changed"] == Json({"rule", "answer"}));
  CHECK(d["before"]["rule"] == "web/api");
  CHECK(d["after"]["rule"] == "web/v2");
  CHECK(d["before"]["answer"] == "forward blue");
  CHECK(d["after"]["answer"] == "answer 404 ");
  CHECK(d["request"]["url"].get<std::string>().starts_with("http://example.com/api/v2"));
  CHECK(d["request"]["headers"] == Json::array({Json::array({"x-new", "yes"})}));
  CHECK(compare(before, before)["routes"].empty());
}

TEST_CASE("groups and listeners that came, went or changed are told") {
  const auto read = [](const std::string& text) {
    config::Diagnostics out("", text);
    config::Config config = config::load({"", text, config::Format::kYaml}, out);
    REQUIRE(out.ok());
    return config;
  };
  const auto before = read(
      "listeners:\n"
      "  - {name: a, bind: ':80', default_actions: [{forward: g}]}\n"
      "  - {name: b, bind: ':81', default_actions: [{forward: g}]}\n"
      "server_groups:\n"
      "  - {name: g, servers: [{address: '10.0.0.1:80'}, {address: '10.0.0.2:80', weight: 5}]}\n");
  const auto after = read(
      "listeners:\n"
      "  - {name: a, bind: ':8080', timeouts: {response: 5s}, default_actions: [{forward: g}]}\n"
      "  - {name: c, bind: ':81', default_actions: [{forward: h}]}\n"
      "server_groups:\n"
      "  - {name: g, servers: [{address: '10.0.0.2:80', weight: 6}, {address: '10.0.0.3:80'}]}\n"
      "  - {name: h, servers: [{address: '10.0.0.1:80'}]}\n");
  const Json result = compare(before, after);
  CHECK(result["listeners"]["added"] == Json({"c"}));
  CHECK(result["listeners"]["removed"] == Json({"b"}));
  CHECK(result["listeners"]["changed"][0]["what"] == Json({"bind :80 -> :8080"}));
  CHECK(result["groups"]["added"] == Json({"h"}));
  CHECK(result["groups"]["changed"][0]["what"] ==
        Json({"server 10.0.0.2:80: weight 5 -> weight 6", "server 10.0.0.3:80 is new", "server 10.0.0.1:80 is gone"}));
  REQUIRE(result["routes"].size() == 1);
  CHECK(result["routes"][0]["changed"] == Json({"timeouts"}));
}

TEST_CASE("the requests of a log are counted") {
  const auto before = load(Json::array());
  const auto after =
      load(Json::array({rule("old", R"([{"path": {"prefix": "/old"}}])", R"({"fixed_response": {"code": 404}})"),
                        rule("bots", R"([{"header": {"name": "user-agent", "values": ["bot*"]}}])")}));
  std::stringstream log;
  const auto line = [&log](const std::string& uri, const std::string& agent = "curl",
                           const std::string& listener = "web") {
    log << Json{{"listener", listener}, {"request_method", "GET"}, {"request_uri", uri},
                {"host", "a.example"},  {"client_ip", "10.0.0.1"}, {"http_user_agent", agent}}
               .dump()
        << "\n";
  };
  line("/");
  line("/old/a?b=c");
  line("/x/../old");
  line("/", "bot/1");
  line("/old", "curl", "gone");
  log << "not json\n{\"host\": 3}\n";
  const Json result = compare(before, after, &log);
  CHECK(result["log"] ==
        Json{{"requests", 5}, {"changed", 3}, {"other_listeners", 1}, {"broken", 2}, {"first_broken_line", 6}});
  CHECK(result["routes"][0]["after"]["rule"] == "web/old");
  CHECK(result["routes"][0]["requests"] == 2);
  CHECK(result["routes"][1]["requests"] == 1);
}

namespace {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
  std::string of(const std::vector<std::string>& words) { return words[below(words.size())]; }

  std::string path() {
    std::string out;
    for (std::size_t n = 1 + below(3); n > 0; --n) out += "/" + of({"a", "b", "ab", "v1"});
    return out;
  }
  Json condition(bool inner = false) {
    switch (below(inner ? 10 : 12)) {
      case 0: return {{"host", {of({"a.example", "*.example", "b.a.example"})}}};
      case 1: return {{"path", {{{"prefix", path()}}}}};
      case 2: return {{"path", {path() + of({"", "*", "/*", "?"})}}};
      case 3: return {{"path", {of({"~^/a/[a-z]+$", "~^/(a|b)/v[0-9]", "~^/v1"})}}};
      case 4: return {{"header", {{"name", "x-a"}, {"values", {of({"1", "2", "?*", "1*"})}}}}};
      case 5:
        return below(2) == 0 ? Json{{"method", {of({"GET", "POST"})}}}
                             : Json{{"source_ip", {of({"10.0.0.0/8", "10.1.0.0/16"})}}};
      case 6: return {{"cookie", {{"name", "c"}, {"values", {of({"1", "2"})}}}}};
      case 7: return {{"query", {{"name", "q"}, {"range", {below(3), 3 + below(3)}}}}};
      case 8: return {{"header", {{"name", "x-a"}, {"items", {of({"1", "2"})}}}}};
      case 9: return {{"time", {{"hours", of({"00:00-12:00", "06:00-18:00"})}}}};
      case 10: return {{of({"any", "all"}), {condition(true), condition(true)}}};
      default: return {{"not", condition(true)}};
    }
  }
  Json rules() {
    Json out = Json::array();
    const std::size_t count = 1 + below(6);
    for (std::size_t i = 0; i < count; ++i) {
      Json conditions = Json::array();
      for (std::size_t n = 1 + below(2); n > 0; --n) conditions.push_back(condition());
      out.push_back({{"name", "r" + std::to_string(i)},
                     {"priority", i + 1},
                     {"conditions", conditions},
                     {"actions", {{{"forward", of({"app", "blue"})}}}}});
    }
    return out;
  }
  ExplainRequest request() {
    ExplainRequest r;
    r.method = of({"GET", "POST", "PUT"});
    r.url = "http://" + of({"a.example", "b.a.example", "other.example", "x"}) + path();
    if (below(2) == 0) r.headers.emplace_back("x-a", of({"1", "2", "12", "3", "1, 2"}));
    if (below(3) == 0) r.headers.emplace_back("Cookie", "c=" + of({"1", "2", "3"}));
    if (below(3) == 0) r.url += "?q=" + of({"0", "1", "2", "4", "9", "x"});
    r.wall = 1'795'000'000 * kSecond + below(48) * 3600 * kSecond;
    r.from = of({"10.1.2.3", "10.2.3.4", "192.168.1.1"});
    return r;
  }

 private:
  std::mt19937_64 engine_;
};

// The compiled rules of a configuration's listener.
struct Compiled {
  explicit Compiled(const config::Config& config) : listener(config.listeners[0]) {
    config::Diagnostics out("", "");
    ServerTable servers;
    table = RuleTable::compile(listener, "", out);
    names = compile_routes(listener, "", servers, out).header_names;
    matcher = table->make_matcher();
  }
  std::string rule_of(const ExplainRequest& request) {
    Incoming in;
    REQUIRE(read(listener, names, 80, request, in).empty());
    return outcome(listener, matcher->match(in.query()).rule)[0].second;
  }

  const config::Listener& listener;
  std::shared_ptr<const RuleTable> table;
  std::vector<std::string> names;
  std::unique_ptr<RuleTable::Matcher> matcher;
};

// In each pair of tables, one rule has been replaced or removed. Returns how many differences random requests found.
std::size_t check_pairs(std::uint64_t seed, int pairs, int requests) {
  Draw draw(seed);
  std::size_t differences = 0, missed = 0;
  for (int i = 0; i < pairs; ++i) {
    Json rules = draw.rules(), other = rules;
    const std::size_t at = draw.below(other.size());
    if (draw.below(3) == 0) {
      other.erase(at);
    } else {
      other[at]["conditions"] = Json::array({draw.condition()});
    }
    const auto before = load(rules), after = load(other);
    const Json result = compare(before, after);
    std::set<std::pair<std::string, std::string>> found;
    for (const Json& d : result["routes"]) found.emplace(d["before"]["rule"], d["after"]["rule"]);
    Compiled old_rules(before), new_rules(after);
    std::set<std::pair<std::string, std::string>> wanted;
    for (int n = 0; n < requests; ++n) {
      const ExplainRequest request = draw.request();
      const std::string a = old_rules.rule_of(request), b = new_rules.rule_of(request);
      if (a != b) wanted.emplace(a, b);
    }
    differences += wanted.size();
    for (const auto& pair : wanted) {
      if (found.contains(pair)) continue;
      ++missed;
      WARN(rules.dump() << "\n" << other.dump() << "\n" << pair.first << " -> " << pair.second);
    }
  }
  CHECK(missed == 0);
  return differences;
}

}  // namespace

TEST_CASE("a difference that only the name of the TLS handshake makes is found") {
  const auto table = [](bool with_rule) {
    const std::string rule =
        "    rules: [{name: cross, priority: 1, conditions: [{host: a.example}, {not: {sni: a.example}}], "
        "actions: [{fixed_response: {code: 403}}]}]\n";
    const std::string text =
        "listeners:\n  - name: web\n    bind: ':443'\n    protocol: https\n"
        "    certificates: [{cert: a.pem, key: a.key}]\n" +
        (with_rule ? rule : "") + "    default_actions: [{fixed_response: {}}]\n";
    config::Diagnostics out("", text);
    config::Config config = config::load({"", text, config::Format::kYaml}, out);
    REQUIRE(out.ok());
    return config;
  };
  const auto before = table(true), after = table(false);
  const Json routes = compare(before, after)["routes"];
  REQUIRE(routes.size() == 1);
  CHECK(routes[0]["request"]["sni"] != "a.example");
}

TEST_CASE("no difference is missed that random requests find") { CHECK(check_pairs(20'261'127, 300, 1000) > 300); }

// Takes minutes; run it with `unit_tests "[long]"` when the search for differences changes.
TEST_CASE("of ten thousand pairs no difference is missed", "[.long]") { CHECK(check_pairs(1, 10'000, 2000) > 10'000); }
