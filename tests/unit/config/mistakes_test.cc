// Seeded mistakes: each must be found at its place, with the path of its key and a way out, and nothing else be
// reported.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "sample.h"

namespace albatross::config::test {
namespace {

struct Mistake {
  std::string text;   // "@@" stands before the place that is expected
  std::string path;   // of the key
  std::string piece;  // of "message | hint"
};

// Removes the marker and says where it was.
Place take_marker(std::string& text) {
  const std::size_t at = text.find("@@");
  REQUIRE(at != std::string::npos);
  text.erase(at, 2);
  Place place{1, 1};
  for (std::size_t i = 0; i < at; ++i) {
    ++place.column;
    if (text[i] == '\n') place = {place.line + 1, 1};
  }
  return place;
}

std::string seen(const Diagnostic& one) { return one.message + " | " + one.hint; }

void check_all(const std::vector<Mistake>& mistakes, Format format = Format::kYaml,
               Diagnostic::Severity severity = Diagnostic::Severity::kError) {
  for (const Mistake& mistake : mistakes) {
    std::string text = mistake.text;
    const Place place = take_marker(text);
    const Loaded loaded = load_text(text, format);
    INFO(text);
    INFO(printed(loaded.diagnostics));
    REQUIRE(loaded.diagnostics.all().size() == 1);
    const Diagnostic& one = loaded.diagnostics.all()[0];
    CHECK(one.severity == severity);
    CHECK(one.at.line == place.line);
    CHECK(one.at.column == place.column);
    CHECK(one.path == mistake.path);
    INFO("expected: " + mistake.piece);
    INFO("seen: " + seen(one));
    CHECK(seen(one).find(mistake.piece) != std::string::npos);
  }
}

// A file whose group has the server given as the rest of `{address: `.
std::string server(const std::string& address) {
  return "listeners: [{name: web, bind: ':80', default_actions: [forward: blue]}]\n"
         "server_groups: [{name: blue, servers: [{address: " +
         address + "}]}]\n";
}

const std::string kRule = "listeners[0].rules[0]";
const std::string kActions = "listeners[0].default_actions";

}  // namespace

TEST_CASE("mistakes in the top level are found") {
  check_all({
      {with_top("@@acces_log: off"), "acces_log", "did you mean \"access_log\"?"},
      {with_top("@@accessLog: off"), "accessLog", "did you mean \"access_log\"?"},
      {with_top("@@upstream: off"), "upstream", "known are listeners"},
      {with_top("access_log: @@stdout"), "access_log", "write it like {path: stdout}"},
      {with_top("access_log: {format: @@text}"), "access_log.format", "write json"},
      {with_top("admin: @@on"), "admin", "expected off or a mapping | write it like {bind: \"127.0.0.1:9900\"}"},
      {with_top("admin: {bind: @@localhost}"), "admin.bind", "add it, like localhost:8080"},
      {with_top("admin: {bind: @@':80'}"), "admin.bind", "the address :80 is used twice | first on line 4"},
      {with_top("shutdown: {delay: @@2h}"), "shutdown.delay", "it is 0s to 1h"},
      {with_top("workers: @@0"), "workers", "it is 1 to 256"},
      {with_top("workers: @@many"), "workers", "not a whole number"},
      {with_top("limits: {connections: @@-1}"), "limits.connections", "\"-1\" is not a whole number"},
      {with_top("limits: {connections: @@1e5}"), "limits.connections", "not a whole number"},
      {with_top("@@limits:"), "limits", "write {} to take every default"},
      {with_top("admin: {bind: @@'example.com:9900'}"), "admin.bind", "is a name, not an address"},
      {with_top("@@shutdown:"), "shutdown", "write {} to take every default"},
      {with_top("rule_sets: @@[a]"), "rule_sets", "write it like {common: [{name: api, "},
      {"@@server_groups: []\n", "", "\"listeners\" is missing"},
      {"listeners: @@[]\n", "listeners", "it needs at least one"},
      {"listeners: @@web\n", "listeners", "write it like [{name: web, bind: \":8080\", "},
      {"@@- listeners\n", "", "expected a mapping, got a list"},
  });
}

TEST_CASE("mistakes in a listener are found") {
  const std::string head = "listeners:\n  - ";
  const std::string tail = ", default_actions: [fixed_response: {}]}\n";
  check_all({
      {head + "@@{name: a" + tail, "listeners[0]", "\"bind\" is missing"},
      {head + "@@{name: a, bind: ':1'}", "listeners[0]", "\"default_actions\" is missing"},
      {head + "{name: @@-a, bind: ':1'" + tail, "listeners[0].name", "\"-a\" is not a name"},
      {head + "{name: @@'', bind: ':1'" + tail, "listeners[0].name", "the text is empty"},
      {head + "{name: a, bind: @@8080" + tail, "listeners[0].bind", "write \":8080\""},
      {head + "{name: a, bind: @@'::1:80'" + tail, "listeners[0].bind", "like [::1:80]:8080"},
      {head + "{name: a, bind: @@'fe80::1:g:80'" + tail, "listeners[0].bind", "stands in brackets"},
      {head + "{name: a, bind: @@'[::g]:80'" + tail, "listeners[0].bind", "not an IPv6 address"},
      {head + "{name: a, bind: @@'[::1'" + tail, "listeners[0].bind", "the ] is missing"},
      {head + "{name: a, bind: @@'*:80'" + tail, "listeners[0].bind", "write :80"},
      {head + "{name: a, bind: @@':70000'" + tail, "listeners[0].bind", "a port is 0 to 65535"},
      {head + "{name: a, bind: @@'10.0.0.300:80'" + tail, "listeners[0].bind", "neither an address nor a host name"},
      {head + "{name: a, bind: @@'http://h:80'" + tail, "listeners[0].bind", "write h:80"},
      {head + "{name: a, bind: @@'unix:'" + tail, "listeners[0].bind", "the path of the unix socket is missing"},
      {head + "{name: a, bind: @@'example.com:8080'" + tail, "listeners[0].bind", "write :8080 for every address"},
      {head + "{name: a, bind: @@[':80', ':81']" + tail, "listeners[0].bind", "got a list | write one value"},
      {with_listener("@@protocl: http"), "listeners[0].protocl", "did you mean \"protocol\"?"},
      {with_listener("protocol: @@htps"), "listeners[0].protocol", "did you mean \"https\"?"},
      {with_listener("protocol: @@ftp"), "listeners[0].protocol", "\"ftp\" is not one of http, https | "},
      {with_listener("protocol: @@quick"), "listeners[0].protocol", "is not one of http, https | "},
      {with_listener("protocol: @@quic"), "listeners[0].protocol", "not built in this version"},
      {with_listener("http2: @@yes"), "listeners[0].http2", "is not a boolean | write true or false"},
      {with_listener("protocol: @@https"), "listeners[0].protocol", "https needs certificates"},
      {with_listener("certificates: [@@{cert: a, key: b}]"), "listeners[0].certificates",
       "http does not use certificates"},
      {with_listener("protocol: https\ncertificates: [@@{cert: a}]"), "listeners[0].certificates[0]",
       "\"key\" is missing"},
      {with_listener("half_close: @@yes"), "listeners[0].half_close", "write true or false"},
      {with_listener("half_close: @@'true'"), "listeners[0].half_close", "write it without quotes"},
      {with_listener("encoded_slash: @@allow"), "listeners[0].encoded_slash", "not one of reject, pass"},
      {with_listener("timeouts: {idle: @@15}"), "listeners[0].timeouts.idle", "write 15s or 15ms"},
      {with_listener("timeouts: {idle: @@0}"), "listeners[0].timeouts.idle", "write 0s"},
      {with_listener("timeouts: {idle: @@500ms}"), "listeners[0].timeouts.idle", "it is 1s to 4000s"},
      {with_listener("timeouts: {request_head: @@301s}"), "listeners[0].timeouts.request_head", "it is 100ms to 5m"},
      {with_listener("timeouts: {response: @@2h}"), "listeners[0].timeouts.response", "it is 1s to 1h"},
      {with_listener("timeouts: {send: @@1 min}"), "listeners[0].timeouts.send", "write it like 250ms"},
      {with_listener("timeouts: {@@conect: 1s}"), "listeners[0].timeouts.conect", "unknown key"},
      {with_listener("limits: {request_head: @@64KB}"), "listeners[0].limits.request_head", "did you mean 64KiB?"},
      {with_listener("limits: {request_head: @@65536}"), "listeners[0].limits.request_head", "a size needs a unit"},
      {with_listener("limits: {target: @@1GiB}"), "listeners[0].limits.target", "it is 64B to 1MiB"},
      {with_listener("limits: {fields: @@'100'}"), "listeners[0].limits.fields", "write it without quotes"},
      {with_listener("trusted_proxies: [@@10.0.0.0/33]"), "listeners[0].trusted_proxies[0]", "it is 0 to 32"},
      {with_listener("trusted_proxies: [10.0.0.1, @@example.com]"), "listeners[0].trusted_proxies[1]", "not a network"},
      {with_listener("proxy_protocol: {from: [@@010.0.0.1]}"), "listeners[0].proxy_protocol.from[0]", "not a network"},
      {with_listener("proxy_protocol: @@{}"), "listeners[0].proxy_protocol", "\"from\" is missing"},
      {with_listener("x_forwarded: {for: @@apend}"), "listeners[0].x_forwarded.for", "did you mean \"append\"?"},
      {with_listener("rule_set: @@common"), "listeners[0].rule_set", "no rule set is named common"},
      {with_listener("@@name: b"), "listeners[0].name", "the key is written twice"},
      {with_top("  - {name: @@web, bind: ':81', default_actions: [forward: blue]}"), "listeners[1].name",
       "the listener name web is used twice | first on line 3"},
      {with_top("  - {name: b, bind: @@':80', default_actions: [forward: blue]}"), "listeners[1].bind",
       "the address :80 is used twice"},
      {with_listener("protocol: https\ncertificates: [{cert: a, key: b}]\nsecurity_policy: @@tls_cipher_policy_1_3"),
       "listeners[0].security_policy",
       "the nearest are tls_cipher_policy_1_0, tls_cipher_policy_1_1, tls_cipher_policy_1_2; `albatross schema` lists"},
      {with_listener("timeouts: @@5s"), "listeners[0].timeouts", "got text | write it like {idle: 15s}"},
      {with_listener("rules: @@{r: {priority: 1}}"), "listeners[0].rules",
       "expected a list, got a mapping | write it like [{name: api, priority: 10, actions: [forward: blue]}]"},
  });
}

TEST_CASE("mistakes in rules and conditions are found") {
  check_all({
      {with_listener("rules: [@@{name: a, actions: [forward: blue]}]"), kRule, "\"priority\" is missing"},
      {with_listener("rules: [@@{name: a, priority: 1}]"), kRule, "\"actions\" is missing"},
      {with_listener("rules: [{name: a, priority: @@50001, actions: [forward: blue]}]"), kRule + ".priority",
       "it is 1 to 50000"},
      {with_listener("rules: [{name: a, priority: @@1.5, actions: [forward: blue]}]"), kRule + ".priority",
       "not a whole number"},
      {with_rule("timeouts: {@@idle: 15s}"), kRule + ".timeouts.idle", "unknown key"},
      {with_rule("limits: {body: @@10}"), kRule + ".limits.body", "a size needs a unit"},
      {with_listener("rules:\n  - {name: a, priority: 1, actions: [forward: blue]}\n"
                     "  - {name: @@a, priority: 2, actions: [forward: blue]}"),
       "listeners[0].rules[1].name", "the rule name a is used twice"},
      {with_listener("rules:\n  - {name: a, priority: 7, actions: [forward: blue]}\n"
                     "  - {name: b, priority: @@7, actions: [forward: blue]}"),
       "listeners[0].rules[1].priority", "priority 7 is used twice | first on line 7"},
      {with_listener("rule_set: @@s\nrules: [{name: a, priority: 1, actions: [forward: blue]}]") +
           "rule_sets: {s: []}\n",
       "listeners[0].rule_set", "not both"},
      {with_listener("rule_set: @@comon") + "rule_sets: {common: []}\n", "listeners[0].rule_set",
       "did you mean \"common\"?"},
      {with_top("rule_sets: {@@'a b': []}"), "rule_sets.a b", "not a name"},
      {with_top("rule_sets: {s: [{name: a, priority: 1, actions: [forward: @@bleu]}]}"),
       "rule_sets.s[0].actions[0].forward", "did you mean \"blue\"?"},
  });
}

TEST_CASE("mistakes in rollouts are found") {
  const auto rollout = [](const std::string& text, const std::string& blue = "{name: blue}") {
    return "listeners: [{name: web, bind: ':80', default_actions: [{forward: {groups: [" + blue +
           ", {name: green, weight: 0}], rollout: " + text +
           "}}]}]\nserver_groups: [{name: blue, servers: [{address: 'a:1'}]}, {name: green, servers: [{address: "
           "'b:1'}]}]\n";
  };
  const std::string at = "listeners[0].default_actions[0].forward.rollout";
  check_all({
      {rollout("@@{}"), at, "\"to\" is missing"},
      {rollout("{to: @@red}"), at + ".to", "they are blue, green"},
      {rollout("{to: green, steps: [5, @@5]}"), at, "write it like [5, 25, 50, 100]"},
      {rollout("{to: green, steps: [@@0, 5]}"), at + ".steps[0]", "it is 1 to 100"},
      {rollout("{to: green, steps: @@[]}"), at + ".steps", "it needs at least one"},
      {rollout("{to: green, pause: @@10ms}"), at + ".pause", "it is 1s to 168h"},
      {rollout("{to: green, abort_if: {errors: @@1}}"), at + ".abort_if.errors", "it is 1.1 to 1000.0 or `off`"},
      {rollout("{to: green, abort_if: {p99: @@fast}}"), at + ".abort_if.p99", "is not a factor"},
      {rollout("{to: green, abort_if: {metrics: {@@albatross_upstream_retrys_total: 2}}}"),
       at + ".abort_if.metrics.albatross_upstream_retrys_total", "the nearest are albatross_upstream_retries_total"},
  });
}

TEST_CASE("a rollout that is over may stay in the file") {
  check_all({{"listeners: [{name: web, bind: ':80', default_actions: [{forward: {groups: [{name: blue, weight: 0}, "
              "{name: green}], rollout: {to: @@green}}}]}]\nserver_groups: [{name: blue, servers: [{address: 'a:1'}]}, "
              "{name: green, servers: [{address: 'b:1'}]}]\n",
              "listeners[0].default_actions[0].forward.rollout.to", "the next version"}},
            Format::kYaml, Diagnostic::Severity::kWarning);
}

TEST_CASE("mistakes in conditions are found") {
  const std::string first = kRule + ".conditions[0]";
  check_all({
      {with_conditions("[@@pth: /]"), first + ".pth", "did you mean \"path\"?"},
      {with_conditions("[{path: /, @@host: a}]"), first, "start another list item"},
      {with_conditions("[@@{}]"), first, "the condition is empty"},
      {with_conditions("[path: @@api]"), first + ".path", "did you mean \"/api\"?"},
      {with_conditions("[path: [/a, @@b]]"), first + ".path[1]", "a path starts with /"},
      {with_conditions("[path: @@[]]"), first + ".path", "it needs at least one"},
      {with_conditions("[path: {prefix: /a, @@exact: /b}]"), first + ".path", "a pattern has one form"},
      {with_conditions("[path: @@{}]"), first + ".path", "give one of exact, prefix, wildcard, regex"},
      {with_conditions("[path: {prefix: /a, ignore_case: @@true}]"), first + ".path", "for a regex only"},
      {with_conditions("[path: {@@suffix: /a}]"), first + ".path.suffix", "unknown key"},
      {with_conditions("[path: @@'~']"), first + ".path", "the regex is empty"},
      {with_conditions("[path: @@/a%zz]"), first + ".path", "a bad escape in the path"},
      {with_conditions("[path: @@{prefix: '/..;x/'}]"), first + ".path", "a dot segment with parameters"},
      {with_conditions("[path: @@'/x/../*']"), first + ".path", "no path has a segment"},
      {with_conditions("[path: @@{exact: '/a?b=c'}]"), first + ".path", "write /a"},
      {with_conditions("[host: @@'*ünchen.example']"), first + ".host", "xn--"},
      {with_conditions("[host: @@'^a\\.example$']"), first + ".host", "a regex begins with ~"},
      {with_conditions("[path: @@'^/api/.*$']"), first + ".path", "a regex begins with ~: write \"~^/api/.*$\""},
      {with_conditions("[header: {name: @@Host, values: [a]}]"), first + ".header.name", "write host: [...]"},
      {with_conditions("[header: {name: @@Connection, values: [a]}]"), first + ".header.name", "this never matches"},
      {with_conditions("[not: {header: {name: @@Transfer-Encoding, values: [a]}}]"), first + ".not.header.name",
       "this never matches"},
      {with_conditions("[path: @@'/a\\']"), first + ".path", "nothing follows the last \\"},
      {with_conditions("[path: @@'/\\d+']"), first + ".path", "start a regex with ~"},
      {with_conditions("[host: @@'example.com:8080']"), first + ".host", "write example.com"},
      {with_conditions("[host: @@'https://example.com']"), first + ".host", "no scheme"},
      {with_conditions("[host: @@'']"), first + ".host", "the host is empty"},
      {with_conditions("[header: {name: @@'x y', values: [a]}]"), first + ".header.name", "not a header name"},
      {with_conditions("[header: @@{name: x}]"), first + ".header", "add values, present or range"},
      {with_conditions("[header: @@{name: x, values: [a], present: true}]"), first + ".header", "more than one test"},
      {with_conditions("[query: {name: x, range: @@[1]}]"), first + ".query.range", "write it like [1, 10]"},
      {with_conditions("[query: {name: x, range: [1, @@b]}]"), first + ".query.range", "\"b\" is not an integer"},
      {with_conditions("[query: {name: x, range: @@[5, 1]}]"), first + ".query.range", "the lower one"},
      {with_conditions("[query: {name: x, @@items: [a]}]"), first + ".query.items", "unknown key"},
      {with_conditions("[time: @@{}]"), first + ".time", "add days or hours"},
      {with_conditions("[time: @@{time_zone: Europe/Berlin}]"), first + ".time", "the condition always holds"},
      {with_conditions("[time: {days: [mon, @@workday]}]"), first + ".time.days", "\"workday\" is no day"},
      {with_conditions("[time: {days: @@mon-}]"), first + ".time.days", "write days like [mon, wed] or mon-fri"},
      {with_conditions("[time: {days: @@[]}]"), first + ".time.days", "leave days out"},
      {with_conditions("[time: {hours: @@9-17}]"), first + ".time.hours", "write hours like \"09:00-17:30\""},
      {with_conditions("[time: {hours: @@'09:00-24:01'}]"), first + ".time.hours", "no hours of a day"},
      {with_conditions("[time: {hours: @@'09:00-09:00'}]"), first + ".time.hours", "leave hours out"},
      {with_conditions("[alpn: @@http1]"), first + ".alpn", "http/1.1"},
      {with_conditions("[sni: @@'a.example:443']"), first + ".sni", "write a.example"},
      {with_conditions("[any: @@[]]"), first + ".any", "it needs at least one"},
      {with_conditions("[any: [{path: @@x}]]"), first + ".any[0].path", "a path starts with /"},
      {with_conditions("[header: @@x-a]"), first + ".header", "expected a mapping, got text"},
      {with_conditions("[cookie: {name: a, @@value: b}]"), first + ".cookie.value", "did you mean"},
      {with_conditions("[method: @@'GE T']"), first + ".method", "not a method"},
      {with_conditions("[source_ip: @@'2001:db8::/129']"), first + ".source_ip", "it is 0 to 128"},
      {with_conditions("[not: {path: @@x}]"), first + ".not.path", "a path starts with /"},
      {with_conditions("[not: @@[path: /]]"), first + ".not", "expected a mapping, got a list"},
      {with_conditions("[header: @@user-agent]"), first + ".header", "write it like {name: user-agent, values: ["},
      {with_conditions("[@@cookie: ]"), first + ".cookie", "missing | write it like {name: canary, values: [always]}"},
      {with_conditions("[@@/api/]"), first, "write it like {path: \"/api/*\"}"},
      {with_conditions("[header: {name: x, @@values: }]"), first + ".header.values", "the value is missing"},
  });
}

TEST_CASE("mistakes in actions are found") {
  const std::string first = kActions + "[0]";
  check_all({
      {with_actions("@@[]"), kActions, "it needs at least one"},
      {with_actions("[@@foward: blue]"), first + ".foward", "did you mean \"forward\"?"},
      {with_actions("[forward: @@bleu]"), first + ".forward", "did you mean \"blue\"?"},
      {with_actions("[forward: {groups: [{name: @@red}]}]"), first + ".forward", "known are blue"},
      {with_actions("[forward: {groups: [{name: blue}, {name: @@blue}]}]"), first + ".forward", "is used twice"},
      {with_actions("[forward: @@[blue, green]]"), first + ".forward",
       "write it like {groups: [{name: blue, weight: 95}"},
      {with_actions("@@{forward: blue}"), kActions, "expected a list, got a mapping | write it like [{forward: blue}]"},
      {"listeners: [{name: web, bind: ':80', default_actions: [forward: @@blue]}]\n", first + ".forward",
       "no server group is named blue | add server_groups: [{name: blue, servers: "},
      {"listeners: [{name: web, bind: ':80', rule_set: @@s, default_actions: [fixed_response: {}]}]\n",
       "listeners[0].rule_set", "no rule set is named s | add rule_sets: {s: "},
      {with_actions("[forward: {groups: @@[]}]"), first + ".forward.groups", "it needs at least one"},
      {with_actions("[forward: {groups: [{name: blue, weight: @@10001}]}]"), first + ".forward.groups[0].weight",
       "it is 0 to 10000"},
      {with_actions("[forward: {groups: [{name: blue}], sticky: @@true}]"), first + ".forward.sticky",
       "not a duration"},
      {with_actions("[@@insert_header: {name: a, value: b}]"), first, "no action answers"},
      {with_actions("[{@@forward: blue}, {fixed_response: {}}]"), first, "must be the last action"},
      {with_actions("[redirect: {code: @@304}]"), first + ".redirect.code", "301, 302, 303, 307, 308"},
      {with_actions("[redirect: {port: @@0}]"), first + ".redirect.port", "1 to 65535"},
      {with_actions("[redirect: {protocol: @@ftp}]"), first + ".redirect.protocol", "http, https"},
      {with_actions("[redirect: {path: @@x}]"), first + ".redirect.path", "did you mean \"/x\"?"},
      {with_actions("[redirect: {query: @@'?a=b'}]"), first + ".redirect.query", "write \"a=b\""},
      {with_actions("[fixed_response: {code: @@101}]"), first + ".fixed_response.code", "it is 200 to 599"},
      {with_actions("[fixed_response: {body: @@" + std::string(65537, 'x') + "}]"), first + ".fixed_response.body",
       "larger than 64KiB"},
      {with_actions("[{insert_header: {name: @@Content-Length, value: 1}}, forward: blue]"),
       first + ".insert_header.name", "content-length frames the message"},
      {with_actions("[{insert_header: {name: @@host, value: a}}, forward: blue]"), first + ".insert_header.name",
       "write rewrite"},
      {with_actions("[{remove_header: {name: @@Transfer-Encoding}}, forward: blue]"), first + ".remove_header.name",
       "cannot be edited"},
      {with_actions("[{insert_header: {name: a, value: @@\"b\\r\\nc\"}}, forward: blue]"),
       first + ".insert_header.value", "a control character"},
      {with_actions("[{insert_header: @@{name: a}}, forward: blue]"), first + ".insert_header", "\"value\" is missing"},
  });
}

TEST_CASE("mistakes in a server group are found") {
  const std::string group = "server_groups[0]";
  check_all({
      {with_group("scheduler: @@random"), group + ".scheduler", "\"random\" is not one of wrr, wlc"},
      {with_group("protocol: @@http2"), group + ".protocol",
       "is not one of http, https, h2c, h2, grpc, grpcs | did you mean \"http\"?"},
      {with_group("health_check: @@/healthz"), group + ".health_check", "write it like {path: /healthz}"},
      {with_group("connection_drain: @@901s"), group + ".connection_drain", "it is 0s to 15m"},
      {with_group("keep_alive: {pool: @@many}"), group + ".keep_alive.pool", "not a whole number"},
      {with_group("tls: {verify: @@no}"), group + ".tls.verify", "write true or false"},
      {with_group("@@helth_check: {}"), group + ".helth_check", "did you mean \"health_check\"?"},
      {with_group("health_check: {path: @@healthz}"), group + ".health_check.path", "did you mean \"/healthz\"?"},
      {with_group("health_check: {method: @@get}"), group + ".health_check.method", "did you mean \"GET\"?"},
      {with_group("health_check: {codes: @@99}"), group + ".health_check.codes", "write it like 2xx"},
      {with_group("health_check: {codes: [200, @@300-200]}"), group + ".health_check.codes[1]", "status codes"},
      {with_group("health_check: {interval: @@50ms}"), group + ".health_check.interval", "it is 100ms to 5m"},
      {with_group("health_check: {healthy_threshold: @@11}"), group + ".health_check.healthy_threshold",
       "it is 1 to 10"},
      {"listeners: [{name: web, bind: ':80', default_actions: [forward: blue]}]\n"
       "server_groups: [{name: blue, servers: [@@10.0.0.1:80]}]\n",
       group + ".servers[0]", "expected a mapping, got text | write it like {address: \"10.0.0.1:80\"}"},
      {"listeners: [{name: web, bind: ':80', default_actions: [forward: blue]}]\n"
       "server_groups: [{name: blue, servers: @@10.0.0.1:80}]\n",
       group + ".servers", "expected a list, got text | write it like [{address: \"10.0.0.1:80\"}]"},
      {"listeners: [{name: web, bind: ':80', default_actions: [forward: blue]}]\n"
       "server_groups: @@{blue: {servers: []}}\n",
       "server_groups", "expected a list, got a mapping"},
      {server("@@localhost"), group + ".servers[0].address", "add it, like localhost:8080"},
      {server("@@':80'"), group + ".servers[0].address", "write it like 127.0.0.1:80"},
      {server("@@'h:0'"), group + ".servers[0].address", "1 to 65535"},
      {server("@@'unix:" + std::string(100, 'a') + "'"), group + ".servers[0].address", "at most 107 bytes"},
      {server("@@'http://h:80'"), group + ".servers[0].address", "an address has no scheme"},
      {server("@@'h:80/x'"), group + ".servers[0].address", "leave the path out"},
      {server("'h:1', weight: @@heavy"), group + ".servers[0].weight", "not a whole number"},
      {server("'h:1'}, {address: @@'h:1'"), group + ".servers[1].address", "the server h:1 is used twice"},
      {server("'h:1'}, @@{weight: 1"), group + ".servers[1]", "\"address\" is missing"},
      {server("'h:1', @@adress: 'h:2'"), group + ".servers[0].adress", "did you mean \"address\"?"},
      {server("'h:1'}]}, {name: @@blue, servers: [{address: 'h:2'"), "server_groups[1].name", "is used twice"},
  });
}

TEST_CASE("what is odd but usable is a warning") {
  check_all(
      {
          {with_conditions("[method: @@get]"), kRule + ".conditions[0].method", "did you mean GET?"},
          {with_listener("x_forwarded: {for: @@process}"), "listeners[0].x_forwarded.for", "add trusted_proxies"},
          {with_listener("security_policy: @@tls_cipher_policy_1_2"), "listeners[0].security_policy", "does not use"},
          {with_group("tls: {ca: @@x.pem}"), "server_groups[0].tls", "without TLS"},
          {with_group("retries: {per_try_timeout: @@2s}"), "server_groups[0].retries.per_try_timeout",
           "add timeout to on"},
          {with_group("timeouts: {response: 2s}\nretries: {on: timeout, per_try_timeout: @@2s}"),
           "server_groups[0].retries.per_try_timeout", "covers all tries"},
          {with_group("queue: {timeout: @@2s}"), "server_groups[0].queue", "no effect without a limit"},
          {with_group("drain_unhealthy: @@true"), "server_groups[0].drain_unhealthy", "without probes"},
          {with_group("health_check: {interval: 1s, timeout: 1s, doubt_interval: @@2s}"),
           "server_groups[0].health_check.doubt_interval", "longer than"},
          {with_group("health_check: {protocol: http, service: @@s}"), "server_groups[0].health_check.service",
           "only grpc probes"},
          {with_top("admin: {bind: 'unix:/a', token: @@x}"), "admin.token", "used over TCP only"},
          {"listeners: [{name: a, bind: ':1', default_actions: [forward: b]}]\nserver_groups: [@@{name: b, servers: "
           "[]}]\n",
           "server_groups[0].servers", "the group has no servers"},
          {with_top("  - {name: b, bind: ':81', default_actions: [@@redirect: {}]}"),
           "listeners[1].default_actions[0].redirect", "the redirect changes nothing"},
          {with_top("rule_sets: {s: [{name: a, priority: 1, actions: [@@redirect: {code: 301}]}]}"),
           "rule_sets.s[0].actions[0].redirect", "the redirect changes nothing"},
          {with_top("admin: {bind: @@':9900'}"), "admin.bind", "add a token"},
          {with_top("admin: {bind: ['unix:/a', @@':9900']}"), "admin.bind", "add a token"},
          {with_conditions("[header: {name: a, values: @@'^x'}]"), "listeners[0].rules[0].conditions[0].header.values",
           "a regex begins with ~"},
          {with_actions("[insert_header: {name: @@Set-Cookie, value: a}, forward: blue]"),
           "listeners[0].default_actions[0].insert_header", "is a response header"},
          {with_group("health_check: {timeout: @@3s}"), "server_groups[0].health_check", "noticed after 9s"},
          {with_top("admin: {bind: @@'[::]:9900'}"), "admin.bind", "write 127.0.0.1:9900"},
      },
      Format::kYaml, Diagnostic::Severity::kWarning);
}

TEST_CASE("what is meant draws no warning") {
  for (const std::string& text : {
           with_top("rule_sets: {s: [{name: a, priority: 1, actions: [redirect: {host: h}]}]}"),
           with_top("admin: {bind: ':9900', token: x}"),
           with_top("admin: {bind: '127.0.0.1:9900'}"),
           with_top("admin: {bind: 'localhost:9900'}"),
           with_top("admin: off"),
           with_conditions("[path: /]"),
           std::string("listeners: [{name: a, bind: 'localhost:1', default_actions: [fixed_response: {}]}]\n"
                       "server_groups: [{name: b, servers: [{address: 'h:1'}]}]\n"
                       "rule_sets: {s: [{name: r, priority: 1, actions: [forward: b]}]}\n"),
       }) {
    const Loaded loaded = load_text(text);
    INFO(text);
    INFO(printed(loaded.diagnostics));
    CHECK(loaded.diagnostics.all().empty());
  }
}

TEST_CASE("every mistake of a file is reported in one run") {
  const Loaded loaded = load_text(
      "listeners:\n"
      "  - nme: web\n"
      "    bind: 80\n"
      "    timeouts: {idle: 0}\n"
      "    default_actions: [forward: red, forward: green]\n"
      "server_groups: [{name: blue}]\n");
  INFO(printed(loaded.diagnostics));
  CHECK(loaded.diagnostics.errors() == 7);
}

}  // namespace albatross::config::test
