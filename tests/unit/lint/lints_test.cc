// Each lint has a configuration that triggers it, and one beside it that does not.
#include "lint/lints.h"

#include <algorithm>
#include <ctime>

#include "config/lint_ids.h"
#include "config/load.h"
#include "tests/support/catch.h"
#include "tests/unit/tls/tls_files.h"

using namespace albatross;
using Catch::Matchers::ContainsSubstring;

namespace {

const std::int64_t kNow = std::time(nullptr);

// The listener "web" on port 80 with those keys, more of the file, and a group "g".
std::vector<config::Diagnostic> found(const std::string& listener, const std::string& top = {},
                                      const std::string& group = "servers: [{address: '10.0.0.1:80'}]",
                                      std::int64_t now = kNow, LintOptions options = {}) {
  const std::string text =
      "listeners:\n  - name: web\n    bind: ':80'\n" + listener +
      (listener.find("default_actions") == std::string::npos ? "    default_actions: [{forward: g}]\n" : "") + top +
      "server_groups:\n  - name: g\n    " + group + "\n";
  config::Diagnostics out("test.yaml", text);
  const config::Config config = config::load({"test.yaml", text, config::Format::kYaml}, out);
  std::ostringstream errors;
  out.print(errors);
  INFO(text << errors.str());
  REQUIRE(out.ok());
  options.now = now;
  return find_lints(config, options).all;
}

std::string ids(const std::vector<config::Diagnostic>& findings) {
  std::string out;
  for (const config::Diagnostic& f : findings) {
    CHECK(std::binary_search(config::lint_ids().begin(), config::lint_ids().end(), f.id));
    CHECK_FALSE(f.hint.empty());
    out += (out.empty() ? "" : " ") + f.id;
  }
  return out;
}

std::string rules(const std::vector<std::string>& conditions) {
  std::string out = "    rules:\n";
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const std::string n = std::to_string(i + 1), all = conditions[i].empty() ? "" : "{" + conditions[i] + "}";
    out += "      - {name: r" + n + ", priority: " + n + "0, conditions: [" + all + "], actions: [{forward: g}]}\n";
  }
  return out;
}

}  // namespace

TEST_CASE("a rule that an earlier one takes everything from is found") {
  const auto shadowed = [](const std::string& first, const std::string& second) {
    return ids(found(rules({first, second}))) == "rule-shadowed";
  };
  CHECK(shadowed("", "path: /a"));
  CHECK(shadowed("path: /a", "path: /a"));
  CHECK(shadowed("path: {prefix: /a}", "path: /a/b"));
  CHECK(shadowed("path: {prefix: /a}", "path: {prefix: /a/b}"));
  CHECK(shadowed("path: {prefix: /a}", "path: /a/*"));
  CHECK(shadowed("path: /a*", "path: {prefix: /ab}"));
  CHECK(shadowed("path: '~^/a/[0-9]+$'", "path: [/a/1, /a/22]"));
  CHECK(shadowed("host: '*.example'", "host: [a.example, '*.b.example']"));
  CHECK(shadowed("host: '*.example'", "host: a.example}, {path: /x}, {method: GET"));
  CHECK(shadowed("method: [GET, HEAD]", "method: GET"));
  CHECK(shadowed("source_ip: 10.0.0.0/8", "source_ip: [10.1.0.0/16, 10.2.3.4]"));
  CHECK(shadowed("header: {name: a, values: ['*']}", "header: {name: a, values: [x]}"));
  CHECK(shadowed("not: {path: /a/b}", "not: {path: {prefix: /a}}"));
  CHECK_THAT(found(rules({"path: {prefix: /a}", "path: /a/b"}))[0].message,
             ContainsSubstring("matches rule r1 first (priority 10 is before 20)"));

  CHECK_FALSE(shadowed("path: /a", "path: {prefix: /a}"));
  CHECK_FALSE(shadowed("path: {prefix: /a}", "path: /ab"));
  CHECK_FALSE(shadowed("path: {prefix: /a}", "path: /a*"));
  CHECK_FALSE(shadowed("path: [/a]}, {method: [GET]", "path: /a"));
  CHECK_FALSE(shadowed("host: '*.b.example'", "host: '*.example'"));
  CHECK_FALSE(shadowed("source_ip: 10.1.0.0/16", "source_ip: 10.0.0.0/8"));
  CHECK_FALSE(shadowed("source_ip: 0.0.0.0/0", "source_ip: '::/0'"));
  CHECK_FALSE(shadowed("header: {name: a, values: ['*']}", "header: {name: b, values: [x]}"));
  CHECK_FALSE(shadowed("path: '~^/a'", "path: '~^/ab'"));
  CHECK_FALSE(shadowed("not: {path: {prefix: /a}}", "not: {path: /a/b}"));
}

TEST_CASE("conditions that exclude each other are found") {
  const auto impossible = [](const std::string& conditions) {
    return ids(found(rules({conditions}))) == "rule-impossible";
  };
  CHECK(impossible("path: /a}, {path: /b"));
  CHECK(impossible("path: /a}, {path: {prefix: /b}"));
  CHECK(impossible("method: GET}, {method: [PUT, POST]"));
  CHECK(impossible("host: a.example}, {host: '*.b.example'"));
  CHECK(impossible("path: /a/b}, {not: {path: {prefix: /a}}"));
  CHECK_FALSE(impossible("path: {prefix: /a}}, {path: /a/b"));
  CHECK_FALSE(impossible("path: [/a, /b]}, {path: [/b, /c]"));
  CHECK_FALSE(
      impossible("header: {name: a, values: [x]}}, {header: {name: a, values: [y]}"));  // there may be two lines
  CHECK_FALSE(impossible("path: {prefix: /a}}, {not: {path: /a/b}"));
}

TEST_CASE("redirects that go round in a circle are followed") {
  const auto redirect = [](const std::string& to, const std::string& conditions = {}) {
    return "    rules:\n      - {name: r, priority: 1, conditions: [" + conditions + "], actions: [{redirect: {" + to +
           "}}]}\n";
  };
  const auto loop = found(redirect("path: '/new${path}'"));
  CHECK(loop.empty());  // it grows for ever, and never is the same: not a circle that this finds
  CHECK(ids(found(redirect("path: /new", "{path: {prefix: /}}"))) == "redirect-loop");
  CHECK_THAT(found(redirect("path: /new", "{path: {prefix: /}}"))[0].message,
             ContainsSubstring("http://example.com/ -> http://example.com/new -> http://example.com/new"));
  CHECK(ids(found(redirect("path: /new", "{path: /old}"))).empty());
  CHECK(ids(found(redirect("path: /new", "{not: {path: /new}}"))).empty());
  CHECK(ids(found("    rules:\n"
                  "      - {name: a, priority: 1, conditions: [{path: /a}], actions: [{redirect: {path: /b}}]}\n"
                  "      - {name: b, priority: 2, conditions: [{path: /b}], actions: [{redirect: {path: /a}}]}\n")) ==
        "redirect-loop redirect-loop");
  CHECK(ids(found(redirect("protocol: https", "{path: {prefix: /}}"))).empty());
  // A client asks for the new host in its next handshake.
  CHECK(ids(found("    protocol: https\n    certificates: [{cert: a.pem, key: a.key}]\n    rules:\n      - {name: a, "
                  "priority: 1, "
                  "conditions: [{sni: old.example}], actions: [{redirect: {host: new.example}}]}\n"))
            .empty());
}

TEST_CASE("a redirect to a port that nobody serves is found") {
  const std::string secure =
      "  - {name: tls, bind: ':8443', protocol: https, certificates: [{cert: a.pem, key: a.key}], default_actions: "
      "[{forward: g}]}\n";
  const auto to = [&](const std::string& redirect, const std::string& more) {
    return ids(
        found("    default_actions: [{redirect: {" + redirect + "}}]\n" + more, "lints: {ignore: [group-unused]}\n"));
  };
  CHECK(to("protocol: https", secure) == "redirect-port");
  CHECK(to("protocol: https, port: 8444", secure) == "redirect-port");
  CHECK(to("protocol: https, port: 8443", secure).empty());
  CHECK(to("protocol: https", "").empty());  // something else may serve it
  CHECK(to("protocol: https, host: other.example", secure).empty());
}

TEST_CASE("drains that are shorter than responses may be are found") {
  const std::string servers = "servers: [{address: '10.0.0.1:80'}]";
  CHECK(ids(found("", "", servers + "\n    connection_drain: 30s")) == "drain-shorter");
  CHECK_THAT(
      found("", "", servers + "\n    connection_drain: 30s")[0].message,
      ContainsSubstring("may wait 1m for its response (timeouts.response of listener web), but is cut after 30s"));
  CHECK(ids(found("", "", servers + "\n    connection_drain: 1m")).empty());
  CHECK(ids(found("", "", servers + "\n    connection_drain: 30s\n    timeouts: {response: 20s}")).empty());
  CHECK(ids(found("", "shutdown: {drain: 20s}\n")) == "shutdown-short");
  CHECK(ids(found("", "shutdown: {drain: 60s}\n")).empty());
  CHECK(ids(found("    timeouts: {response: 10s}\n", "shutdown: {drain: 20s}\n")).empty());
}

TEST_CASE("what servers, zones and probes add up to is found") {
  const auto group = [](const std::string& keys) { return ids(found("", "", keys)); };
  const std::string two = "servers: [{address: '10.0.0.1:80'}, {address: '10.0.0.2:80'}]";
  CHECK(group(two + "\n    health_check: {interval: 100ms, timeout: 100ms}") == "probe-multiplier");
  CHECK_THAT(found("", "", two + "\n    health_check: {interval: 100ms, timeout: 100ms}")[0].message,
             ContainsSubstring("10 requests a second on each server, 20 in all"));
  CHECK(group(two + "\n    health_check: {interval: 100ms, timeout: 100ms, path: /healthz}").empty());
  CHECK(group(two + "\n    health_check: {interval: 2s}").empty());
  CHECK(group(two + "\n    keep_alive: {pool: 0}") == "no-reuse");
  CHECK_THAT(found("", "", two + "\n    keep_alive: {pool: 0}")[0].message,
             ContainsSubstring("28232 ports / 60 s = 471"));
  CHECK(group(two + "\n    keep_alive: {pool: 1}").empty());
  const auto zones = [&](const std::string& a, const std::string& b, const std::string& weight = "100") {
    return group("servers: [{address: '10.0.0.1:80', zone: " + a + "}, {address: '10.0.0.2:80', zone: " + b +
                 ", weight: " + weight + "}]");
  };
  CHECK(zones("a", "a") == "one-zone");
  CHECK(zones("a", "b").empty());
  CHECK(zones("a", "b", "300") == "zone-headroom");
  CHECK(group(two).empty());  // no zone is said
  CHECK(group("servers: [{address: '10.0.0.1:80', zone: a}, {address: '10.0.0.2:80', zone: b, backup: true}]").empty());
}

TEST_CASE("zones that cannot carry the peak without the largest are found") {
  const auto ask = [](const std::string& top, int a, int b) {
    return found("", top,
                 "servers: [{address: '10.0.0.1:80', zone: a, capacity: " + std::to_string(a) +
                     "}, {address: '10.0.0.2:80', zone: b, capacity: " + std::to_string(b) +
                     "}]\n    zone_affinity: true");
  };
  const std::string peak = "zone: a\nlints: {assume: {peak: 900/s}}\n";
  const auto busy = ask(peak, 1000, 950);
  REQUIRE(ids(busy) == "zone-headroom");
  CHECK(busy[0].message ==
        "when zone a fails, the others can take 950 of 900 requests a second (lints.assume.peak): they are 95 % busy, "
        "and over "
        "90 % is no headroom");
  CHECK(ids(ask(peak, 1000, 1000)).empty());
  CHECK(ids(ask("zones: {b: {capacity: 1200}}\n" + peak, 1000, 10)) == "");
  CHECK(ids(ask("zones: {b: {capacity: 900}}\n" + peak, 1000, 10)) == "zone-headroom");
  CHECK(ids(ask("zones: {c: {capacity: 9000}}\n" + peak, 1000, 900)) == "zone-headroom");  // no server is there
}

TEST_CASE("requests that cross zones are counted") {
  const auto ask = [](const std::string& top, const std::string& affinity) {
    return found("", top, "servers: [{address: '10.0.0.1:80', zone: a}, {address: '10.0.0.2:80', zone: b}]" + affinity);
  };
  const auto crossing = ask("lints: {assume: {peak: 900/s}}\n", "");
  REQUIRE(ids(crossing) == "cross-zone");
  CHECK_THAT(crossing[0].message, ContainsSubstring("up to 450 of 900 requests a second (50 %)"));
  CHECK(ids(ask("zone: a\nlints: {assume: {peak: 900/s}}\n", "\n    zone_affinity: true")).empty());
  CHECK(ids(ask("", "")).empty());
}

TEST_CASE("probes of all albatrosses are counted if their number is known") {
  const std::string group = "servers: [{address: '10.0.0.1:80'}]\n    health_check: {interval: 500ms, timeout: 500ms}";
  CHECK(ids(found("", "", group)).empty());
  const auto many = found("", "lints: {assume: {nodes: 3}}\n", group);
  REQUIRE(ids(many) == "probe-multiplier");
  CHECK_THAT(many[0].message,
             ContainsSubstring("3 albatrosses ask each of 1 servers for / every 500ms: 6 requests a second"));
}

TEST_CASE("an autoscaler that is faster than its servers is found") {
  const auto ask = [](const std::string& assume) { return found("", "lints: {assume: {" + assume + "}}\n"); };
  const auto fast = ask("boot_to_ready: 60s, scaling_cooldown: 20s");
  REQUIRE(ids(fast) == "scaling-cooldown");
  CHECK_THAT(fast[0].message, ContainsSubstring("up to 3 times as many servers"));
  CHECK(ids(ask("boot_to_ready: 60s, scaling_cooldown: 60s")).empty());
  CHECK(ids(ask("boot_to_ready: 60s")).empty());
}

TEST_CASE("a 504 for what a server is allowed to take is found") {
  const std::string slow = "servers: [{address: '10.0.0.1:80'}]\n    timeouts: {response: 300s}";
  const auto trap = found("", "", slow);
  REQUIRE(ids(trap) == "timeout-trap");
  CHECK_THAT(trap[0].message, ContainsSubstring("group g allows its servers 5m, but after 1m the client gets a 504"));
  CHECK(ids(found("    timeouts: {response: 300s}\n", "", slow)).empty());
  const std::string report = "lints: {assume: {slowest_response: 120s}}\n";
  CHECK(ids(found("", report)) == "timeout-trap");
  CHECK(ids(found("    timeouts: {response: 120s}\n", report)).empty());
}

TEST_CASE("connections that the servers close first are found") {
  CHECK(ids(found("", "lints: {assume: {servers_keep_alive: 5s}}\n")) == "idle-longer");
  CHECK(ids(found("", "lints: {assume: {servers_keep_alive: 75s}}\n")).empty());
}

TEST_CASE("static files through the proxy are found") {
  const auto forwarded = [](const std::string& condition) { return ids(found(rules({condition}))); };
  for (const char* path : {"/static/*", "{prefix: /images}", "'*.js'", "[/css/*, /js/*]", "/video/intro.mp4"}) {
    INFO(path);
    CHECK(forwarded(std::string("path: ") + path) == "static-files");
  }
  for (const char* path : {"/api/*", "/staticx", "{prefix: /imagesearch}", "[/static/*, /api]", "/js"}) {
    INFO(path);
    CHECK(forwarded(std::string("path: ") + path).empty());
  }
}

TEST_CASE("groups without requests, and weights that are all zero") {
  CHECK(ids(found("", "", "servers: []\n  - name: h\n    servers: [{address: 'h:1'}]")) == "group-unused");
  CHECK(ids(found("    default_actions: [{forward: {groups: [{name: g, weight: 0}]}}]\n")) == "weights-zero");
  CHECK(ids(found("    default_actions: [{forward: {groups: [{name: g, weight: 1}]}}]\n")).empty());
}

TEST_CASE("names that resolve nowhere are found when they are asked for") {
  LintOptions online;
  online.online = true;
  const auto ask = [&](const std::string& host, const LintOptions& options) {
    return ids(found("", "", "servers: [{address: '" + host + ":80'}]", kNow, options));
  };
  CHECK(ask("nowhere.invalid", online) == "name-unresolved");  // RFC 6761 §6.4
  CHECK(ask("localhost", online).empty());
  CHECK(ask("10.0.0.1", online).empty());
  CHECK(ask("nowhere.invalid", {}).empty());
}

TEST_CASE("what a cloud's load balancer does not take is found") {
  const auto as = [](Cloud cloud, const std::string& listener,
                     const std::string& group = "servers: [{address: '10.0.0.1:80'}]") {
    LintOptions options;
    options.cloud = cloud;
    const auto all = found(listener, "lints: {ignore: [group-unused]}\n", group, kNow, options);
    return ids(all) + (all.empty() ? "" : ": " + all[0].message);
  };
  CHECK(as(Cloud::kAlb, "").empty());
  CHECK(as(Cloud::kAwsAlb, rules({"path: /a/*}, {host: a.example"})).empty());
  CHECK(as(Cloud::kAlb, rules({"any: [{sni: a.example}]"})).find("has no condition") != std::string::npos);
  CHECK(as(Cloud::kAlb, rules({"not: {method: GET}"})) == "cloud-missing: Alibaba Cloud's ALB has no condition not");
  CHECK(as(Cloud::kAwsAlb, rules({"cookie: {name: a, values: [b]}"})) ==
        "cloud-missing: AWS's ALB has no condition cookie; match the header cookie");
  CHECK(as(Cloud::kAlb, rules({"cookie: {name: a, values: [b]}"})).empty());
  CHECK(as(Cloud::kAwsAlb, rules({"path: [/a, /b, /c, /d]"})) ==
        "cloud-quota: 4 values of one condition, and AWS's ALB takes at most 3");
  CHECK(as(Cloud::kAlb, rules({"path: [/a, /b, /c, /d]"})).empty());
  CHECK(as(Cloud::kAlb, "    default_actions: [{forward: {groups: [{name: g, weight: 200}]}}]\n") ==
        "cloud-quota: 200 is the weight of g, and Alibaba Cloud's ALB takes at most 100");
  CHECK(as(Cloud::kAwsAlb, "    default_actions: [{forward: {groups: [{name: g, weight: 200}]}}]\n").empty());
  CHECK(as(Cloud::kAwsAlb, "    default_actions: [{redirect: {protocol: https, host: x.example}}]\n", "servers: []")
            .find("redirect with code 308") != std::string::npos);
  CHECK(as(Cloud::kAlb, "", "servers: [{address: 'app.internal:80'}]") ==
        "cloud-missing: Alibaba Cloud's ALB has no servers by name");
  std::vector<std::string> many;
  for (int i = 0; i < 101; ++i) many.push_back("path: /p" + std::to_string(i));
  CHECK(as(Cloud::kAlb, rules(many)) ==
        "cloud-quota: 101 rules on one listener, and Alibaba Cloud's ALB takes at most 100");
}

TEST_CASE("certificates that end together are found") {
  tls_test::TlsFiles files;
  files.make("one", {"one.example"}, 365);
  files.make("two", {"two.example"}, 367);
  files.make("later", {"later.example"}, 400);
  files.make("short", {"short.example"}, 90);
  const auto listener = [&files](const std::string& name, const std::string& port) {
    return "  - {name: " + name + ", bind: ':" + port +
           "', protocol: https, certificates: [{cert: " + files.path(name + ".pem") +
           ", key: " + files.path(name + ".key") + "}], default_actions: [{forward: g}]}\n";
  };
  const auto cascade = found("", listener("one", "1443") + listener("two", "2443"));
  REQUIRE(ids(cascade) == "cert-cascade");
  CHECK_THAT(cascade[0].message, ContainsSubstring("2 listeners (one, two) stop on one day: "));
  CHECK(ids(found("", listener("one", "1443") + listener("later", "2443"))).empty());
  CHECK(ids(found("", listener("one", "1443"))).empty());
  CHECK(ids(found("",
                  listener("short", "1443") +
                      "  - {name: b, bind: ':2443', protocol: https, certificates: [{cert: " + files.path("short.pem") +
                      ", key: " + files.path("short.key") + "}], default_actions: [{forward: g}]}\n"))
            .empty());
}

TEST_CASE("what could not be looked for is named with the numbers that are missing") {
  const std::string text = "listeners: [{name: web, bind: ':80', default_actions: [fixed_response: {}]}]\n";
  config::Diagnostics out("test.yaml", text);
  const Findings findings = find_lints(config::load({"test.yaml", text, config::Format::kYaml}, out), {});
  std::string skipped;
  for (const auto& [id, needs] : findings.skipped) {
    CHECK(std::binary_search(config::lint_ids().begin(), config::lint_ids().end(), id));
    skipped += id + " ";
  }
  CHECK(skipped == "timeout-trap idle-longer zone-headroom cross-zone scaling-cooldown name-unresolved ");
}

TEST_CASE("a certificate that should have been renewed is found, with the listeners that need it") {
  tls_test::TlsFiles files;
  files.make("shop", {"shop.example"}, 90);
  const auto listener = [&files](const std::string& name, const std::string& port) {
    return "  - {name: " + name + ", bind: ':" + port +
           "', protocol: https, certificates: [{cert: " + files.path("shop.pem") + ", key: " + files.path("shop.key") +
           "}], default_actions: [{forward: g}]}\n";
  };
  const auto after = [&](std::int64_t days) {
    return found("", listener("shop", "443") + listener("other", "8443"), "servers: [{address: '10.0.0.1:80'}]",
                 kNow + days * 86'400);
  };
  CHECK(ids(after(50)).empty());  // 40 days are left
  CHECK(ids(after(91)).empty());  // it has expired: an older warning
  const auto soon = after(80);
  REQUIRE(ids(soon) == "cert-expiring");
  CHECK_THAT(soon[0].message, ContainsSubstring("of its 91 days are left; then clients of shop.example are refused on "
                                                "listener shop, other"));
  CHECK(soon[0].path == "listeners[1].certificates[0].cert");
}

TEST_CASE("findings are ignored, or errors, as the file says") {
  const std::string open = "    trusted_proxies: [0.0.0.0/0]\n";
  CHECK(ids(found(open, "lints: {ignore: [trusted-everyone]}\n")).empty());
  CHECK(ids(found(open, "lints: {ignore: [one-zone]}\n")) == "trusted-everyone");
  using Severity = config::Diagnostic::Severity;
  CHECK(found(open)[0].severity == Severity::kWarning);
  CHECK(found(open, "lints: {level: {trusted-everyone: error}}\n")[0].severity == Severity::kError);
  CHECK(found(open, "lints: {level: {one-zone: error, trusted-everyone: warning}}\n")[0].severity ==
        Severity::kWarning);
}

TEST_CASE("what is open to everybody is found") {
  CHECK(ids(found("    trusted_proxies: [0.0.0.0/0]\n")) == "trusted-everyone");
  CHECK(ids(found("    trusted_proxies: ['::/0', 10.0.0.0/8]\n")) == "trusted-everyone");
  CHECK(ids(found("    trusted_proxies: [10.0.0.0/8]\n")).empty());
  const auto policy = [](const std::string& name) {
    return ids(found(
        "    protocol: https\n    certificates: [{cert: a.pem, key: a.key}]\n    security_policy: " + name + "\n"));
  };
  CHECK(policy("tls_cipher_policy_1_0") == "tls-old");
  CHECK(policy("ELBSecurityPolicy-TLS13-1-1-2021-06") == "tls-old");
  CHECK(policy("ELBSecurityPolicy-2016-08") == "tls-old");
  CHECK(policy("tls_cipher_policy_1_2").empty());
  CHECK(policy("ELBSecurityPolicy-TLS13-1-2-2021-06").empty());
}

TEST_CASE("the ids of the lints are sorted and differ") {
  const auto& all = config::lint_ids();
  CHECK(std::is_sorted(all.begin(), all.end(), std::less_equal<>()));
}
