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
                                      std::int64_t now = kNow) {
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
  return find_lints(config, now);
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
}

TEST_CASE("a redirect to a port that nobody serves is found") {
  const std::string secure =
      "  - {name: tls, bind: ':8443', protocol: https, certificates: [{cert: a.pem, key: a.key}], default_actions: "
      "[{forward: g}]}\n";
  const auto to = [&](const std::string& redirect, const std::string& more) {
    return ids(found("    default_actions: [{redirect: {" + redirect + "}}]\n" + more));
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
