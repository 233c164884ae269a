#include <unistd.h>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "sample.h"

namespace albatross::config::test {
namespace {

using namespace std::chrono_literals;

Config load_good(const std::string& text, Format format = Format::kYaml) {
  Loaded loaded = load_text(text, format);
  INFO(printed(loaded.diagnostics));
  REQUIRE(loaded.diagnostics.all().empty());
  return std::move(loaded.config);
}

// The patterns of a single condition of the given kind.
std::vector<Pattern> patterns(const std::string& condition) {
  return load_good(with_conditions("[" + condition + "]")).listeners[0].rules[0].conditions[0].patterns;
}

}  // namespace

TEST_CASE("the example of the contract loads") {
  const Config config = load_good(kExample);
  REQUIRE(config.listeners.size() == 2);
  const Listener& secure = config.listeners[1];
  CHECK(*secure.protocol == Listener::Protocol::kHttps);
  CHECK(*secure.certificates[0].cert == "/etc/albatross/certs/example.com.pem");
  CHECK(secure.certificates[0].cert.at.line == 12);
  CHECK(*secure.trusted_proxies[0] == "10.0.0.0/8");
  CHECK(*secure.proxy_protocol_from[0] == "10.0.0.5/32");
  REQUIRE(secure.rules.size() == 2);
  CHECK(*secure.rules[0].name == "testers");  // the lower priority, though written last
  const Rule& api = secure.rules[1];
  REQUIRE(api.conditions.size() == 7);
  CHECK(api.conditions[1].patterns[0].kind == Pattern::Kind::kWildcard);
  CHECK(api.conditions[1].patterns[1].kind == Pattern::Kind::kPrefix);
  CHECK(api.conditions[1].patterns[2].text == "^/v3/users/([0-9]+)$");
  CHECK(api.conditions[2].name == "user-agent");
  CHECK(api.conditions[2].patterns[1].ignore_case);
  REQUIRE(api.conditions[6].inner.size() == 1);
  CHECK(api.conditions[6].inner[0].kind == Condition::Kind::kHeader);
  CHECK(**api.timeouts.response == 30s);
  CHECK_FALSE(api.timeouts.send);
  REQUIRE(api.actions.size() == 4);
  CHECK(*api.actions[0].header.value == "${listener}");
  CHECK(*api.actions[3].forward.groups[1].weight == 5);
  CHECK(*api.actions[3].forward.sticky->max_age == 1000s);
  CHECK(*config.listeners[0].default_actions[0].redirect.code == 308);
  CHECK(**config.listeners[0].default_actions[0].redirect.port == "8443");
  CHECK(config.server_groups[0].servers[1].host == "10.0.2.10");
  CHECK(config.server_groups[0].servers[1].port == 8080);
  CHECK(config.workers == 0);
}

TEST_CASE("the same tree as JSON gives the same configuration") {
  Diagnostics none("", "");
  const std::optional<Node> tree = parse({"", kExample, Format::kYaml}, none);
  REQUIRE(tree);
  const std::string json = "// a comment\n" + to_json(*tree);
  CHECK(describe(load_good(json, Format::kJson)) == describe(load_good(kExample)));
}

TEST_CASE("what is not written takes its default, without a place") {
  const Config config = load_good(with_group("health_check: {}"));
  const Listener& listener = config.listeners[0];
  CHECK(*listener.timeouts.idle == 15s);
  CHECK(*listener.timeouts.handshake == 10s);
  CHECK(*listener.timeouts.request_head == 10s);
  CHECK(*listener.timeouts.request_body == 30s);
  CHECK(*listener.timeouts.response == 60s);
  CHECK(*listener.timeouts.send == 60s);
  CHECK(*listener.timeouts.tunnel == 3600s);
  CHECK_FALSE(listener.timeouts.total);
  CHECK_FALSE(listener.timeouts.idle.written());
  CHECK(*listener.limits.request_head == 32 * 1024);
  CHECK(*listener.limits.target == 16 * 1024);
  CHECK(*listener.limits.fields == 100);
  CHECK_FALSE(listener.limits.body);
  CHECK(*listener.x_forwarded.proto);
  CHECK(*listener.x_forwarded.forwarded_for == XForwarded::For::kAppend);
  CHECK_FALSE(listener.http2);
  CHECK_FALSE(listener.half_close);
  CHECK(config.access_log.target == AccessLog::Target::kOff);
  CHECK(config.admin.binds.empty());
  CHECK(*config.shutdown.drain == 30s);
  CHECK(*config.max_connections == 100'000);
  const ServerGroup& group = config.server_groups[0];
  CHECK(*group.connection_drain == 300s);
  CHECK(*group.connect_timeout == 5s);
  CHECK(*group.keep_alive_idle == 60s);
  CHECK_FALSE(group.keep_alive_pool);
  REQUIRE(group.health_check);
  CHECK(*group.health_check->interval == 2s);
  CHECK(group.health_check->codes == decltype(HealthCheck::codes){{200, 299}});
}

TEST_CASE("the defaults of the table are those of the structs") {
  // a struct made by hand, as built-in configurations and tests do, must behave like one from a file
  Config by_hand;
  by_hand.listeners.resize(1);
  by_hand.server_groups.resize(1);
  by_hand.server_groups[0].health_check.emplace();
  Config loaded = load_good(
      "listeners: [{name: a, bind: ':1', default_actions: [fixed_response: {}]}]\n"
      "server_groups: [{name: b, servers: [{address: 'h:1'}], health_check: {}}]\n"
      "rule_sets: {s: [{name: r, priority: 1, actions: [forward: b]}]}\n");
  loaded.rule_sets.clear();  // there for a use of the group
  by_hand.listeners[0].name = loaded.listeners[0].name;
  by_hand.listeners[0].bind = loaded.listeners[0].bind;
  by_hand.listeners[0].default_actions.resize(1);
  by_hand.listeners[0].default_actions[0].kind = Action::Kind::kFixedResponse;
  by_hand.server_groups[0].name = loaded.server_groups[0].name;
  by_hand.server_groups[0].servers.resize(1);
  Server& server = by_hand.server_groups[0].servers[0];
  server.address = Value<std::string>("h:1");
  server.host = "h";
  server.port = 1;
  CHECK(describe(by_hand) == describe(loaded));
}

TEST_CASE("a probe speaks TLS where its group does") {
  const Config config = load_good(with_group("protocol: https\nhealth_check: {}"));
  CHECK(*config.server_groups[0].health_check->protocol == HealthCheck::Protocol::kHttps);
}

TEST_CASE("a rule set is copied into its listeners, sorted") {
  const Config config = load_good(with_listener("rule_set: common") +
                                  "rule_sets:\n  common:\n"
                                  "    - {name: b, priority: 2, actions: [forward: blue]}\n"
                                  "    - {name: a, priority: 1, actions: [forward: blue]}\n");
  REQUIRE(config.listeners[0].rules.size() == 2);
  CHECK(*config.listeners[0].rules[0].name == "a");
  CHECK(*config.rule_sets[0].rules[0].name == "b");
}

TEST_CASE("patterns have a shorthand and a full form") {
  struct Case {
    const char* written;
    Pattern::Kind kind;
    bool ignore_case;
    const char* text;
  };
  using Kind = Pattern::Kind;
  const Case cases[] = {
      {"plain", Kind::kExact, false, "plain"},
      {"'a\\*b'", Kind::kExact, false, "a*b"},
      {"'\\~x'", Kind::kExact, false, "~x"},
      {"'a\\\\b'", Kind::kExact, false, "a\\b"},
      {"'a*'", Kind::kWildcard, false, "a*"},
      {"'a?\\*'", Kind::kWildcard, false, "a?\\*"},
      {"'~^a\\d'", Kind::kRegex, false, "^a\\d"},
      {"'~*a'", Kind::kRegex, true, "a"},
      {"{exact: 'a*'}", Kind::kExact, false, "a*"},
      {"{prefix: '~a'}", Kind::kPrefix, false, "~a"},
      {"{wildcard: 'a*'}", Kind::kWildcard, false, "a*"},
      {"{regex: a, ignore_case: true}", Kind::kRegex, true, "a"},
      {"{ignore_case: true, regex: a}", Kind::kRegex, true, "a"},
      {"2", Kind::kExact, false, "2"},
      {"''", Kind::kExact, false, ""},
  };
  for (const Case& one : cases) {
    INFO(one.written);
    const std::vector<Pattern> found = patterns("header: {name: a, values: " + std::string(one.written) + "}");
    REQUIRE(found.size() == 1);
    CHECK(found[0].kind == one.kind);
    CHECK(found[0].ignore_case == one.ignore_case);
    CHECK(found[0].text == one.text);
    CHECK(found[0].at.written());
  }
}

TEST_CASE("conditions test for presence, ranges and items, and are grouped") {
  const auto conditions = [](const std::string& text) {
    return load_good(with_conditions("[" + text + "]")).listeners[0].rules[0].conditions;
  };
  auto all = conditions("header: {name: X-A, present: true}");
  CHECK(all[0].kind == Condition::Kind::kHeader);
  CHECK(all[0].name == "x-a");
  CHECK(all[0].patterns[0].text == "*");
  all = conditions("cookie: {present: false, name: c}");
  REQUIRE(all[0].kind == Condition::Kind::kNot);
  CHECK(all[0].inner[0].kind == Condition::Kind::kCookie);
  CHECK(all[0].inner[0].name == "c");
  all = conditions("query: {name: n, range: [-1, 10]}");
  CHECK(all[0].patterns[0].kind == Pattern::Kind::kRange);
  CHECK(all[0].patterns[0].least == -1);
  CHECK(all[0].patterns[0].most == 10);
  all = conditions("header: {name: accept-encoding, items: [br, 'gzip*']}");
  CHECK(all[0].kind == Condition::Kind::kItems);
  CHECK(all[0].patterns.size() == 2);
  all = conditions("{any: [{path: /a}, {all: [{path: /b}, {method: GET}]}]}");
  REQUIRE(all[0].kind == Condition::Kind::kAny);
  CHECK(all[0].inner[1].kind == Condition::Kind::kAll);
  // What is in an `all` of the rule is the rule's own.
  all = conditions("{all: [{path: /a}, {all: [{method: GET}, {host: h}]}]}, {path: /c}");
  REQUIRE(all.size() == 4);
  CHECK(all[1].kind == Condition::Kind::kMethod);
  CHECK(all[3].patterns[0].text == "/c");
}

TEST_CASE("conditions on time and on the TLS connection") {
  const auto only = [](const std::string& text) {
    return load_good(with_conditions("[" + text + "]")).listeners[0].rules[0].conditions[0];
  };
  Condition c = only("time: {days: [mon-wed, Fri], hours: '09:00-17:30', time_zone: Europe/Berlin}");
  CHECK(c.kind == Condition::Kind::kTime);
  CHECK(c.time.days == 0b0101110);
  CHECK(c.time.from == 540);
  CHECK(c.time.to == 1050);
  CHECK(*c.time.zone == "Europe/Berlin");
  c = only("time: {days: sat-mon}");
  CHECK(c.time.days == 0b1000011);
  CHECK(c.time.to == 1440);
  CHECK(*c.time.zone == "UTC");
  CHECK(only("time: {hours: '22:00-24:00'}").time.to == 1440);
  c = only("sni: ['*.example.com', a.example]");
  CHECK(c.kind == Condition::Kind::kSni);
  CHECK(c.patterns.size() == 2);
  c = only("alpn: http/1.1");
  CHECK(c.kind == Condition::Kind::kAlpn);
  CHECK(c.patterns[0].text == "http/1.1");
}

TEST_CASE("networks are normalised") {
  const Config config = load_good(with_listener("trusted_proxies: [10.1.2.3/8, 192.0.2.1, '2001:DB8::1/32', '::1']"));
  std::vector<std::string> seen;
  for (const auto& one : config.listeners[0].trusted_proxies) seen.push_back(one);
  CHECK(seen == std::vector<std::string>{"10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::1/128"});
}

TEST_CASE("addresses come in four forms") {
  const auto bind = [](const std::string& text) {
    return load_good("listeners: [{name: a, bind: '" + text + "', default_actions: [fixed_response: {}]}]")
        .listeners[0]
        .bind;
  };
  CHECK(bind(":80").host.empty());
  CHECK(bind(":80").port == 80);
  CHECK(bind("localhost:0").host == "localhost");
  CHECK(bind("[::1]:80").host == "::1");
  CHECK(bind("unix:/run/a.sock").host == "/run/a.sock");
  CHECK(bind("unix:a.sock").host == "/etc/albatross/a.sock");
  CHECK(bind("unix:a.sock").kind == Bind::Kind::kUnix);
}

TEST_CASE("off turns the access log and the admin API off") {
  const Config config = load_good(with_top("access_log: off\nadmin: off"));
  CHECK(config.access_log.target == AccessLog::Target::kOff);
  CHECK(config.admin.off);
  CHECK(load_good(with_top("access_log: {}")).access_log.target == AccessLog::Target::kStdout);
  const Config file = load_good(with_top("access_log: {path: log/a.json}"));
  CHECK(file.access_log.target == AccessLog::Target::kFile);
  CHECK(*file.access_log.path == "/etc/albatross/log/a.json");
}

TEST_CASE("a file is read by its ending") {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("albatross-config-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "a.json") << "{}";
  std::string error;
  const auto json = read_source((folder / "a.json").string(), error);
  REQUIRE(json);
  CHECK(json->format == Format::kJson);
  CHECK(json->text == "{}");
  CHECK_FALSE(read_source((folder / "b.yaml").string(), error));
  CHECK(error == (folder / "b.yaml").string() + ": No such file or directory");
  CHECK_FALSE(read_source((folder / "a.toml").string(), error));
  CHECK(error.find("must end in .yaml") != std::string::npos);
  std::filesystem::create_directory(folder / "c.yaml");
  CHECK_FALSE(read_source((folder / "c.yaml").string(), error));
  CHECK(error.find("is a directory") != std::string::npos);
  std::ofstream(folder / "d.yaml") << std::string((std::size_t{16} << 20) + 1, '#');
  CHECK_FALSE(read_source((folder / "d.yaml").string(), error));
  CHECK(error.find("larger than 16MiB") != std::string::npos);
  std::filesystem::remove_all(folder);
}

}  // namespace albatross::config::test
