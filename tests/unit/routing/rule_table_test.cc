// The compiled table as a whole: order, captures, errors, regexes that cannot be skipped, many rules.
#include "routing/rules/rule_table.h"

#include <catch2/catch_test_macros.hpp>

#include "routing/rules/account.h"
#include "routing/rules/rule_table_compiled.h"
#include "tests/unit/routing/routing_support.h"

namespace albatross::test {
namespace {

std::uint32_t rule_for(const config::Listener& rules, Request& request) {
  const auto matcher = matcher_of(rules);
  REQUIRE(matcher != nullptr);
  const std::uint32_t rule = matcher->match(request.get()).rule;
  CHECK(rule == plain_match(rules, request.get()));
  return rule;
}

TEST_CASE("the first rule wins, however it is found") {
  const config::Listener rules = listener({
      {host({exact("a.example.com")}), path({prefix("/deep/er")}), method({exact("POST")})},
      {path({regex("er$")})},
      {host({wildcard("*.example.com")}), path({wildcard("/deep/*")})},
      {host({exact("a.example.com")}), path({exact("/deep/er")})},
      {host({regex("^b")})},
      {},
      {host({exact("a.example.com")})},
  });
  Request request;
  CHECK(rule_for(rules, request.host("a.example.com").path("/deep/er").method("POST")) == 0);
  CHECK(rule_for(rules, request.method("GET")) == 1);
  CHECK(rule_for(rules, request.path("/deep/er/x")) == 2);
  CHECK(rule_for(rules, request.host("b").path("/")) == 4);
  CHECK(rule_for(rules, request.host("a.example.com")) == 5);
}

TEST_CASE("without a rule the default actions answer") {
  Request request;
  CHECK(rule_for(listener({}), request) == 0);
  CHECK(rule_for(listener({{path({exact("/x")})}, {path({})}}), request) == 2);
}

TEST_CASE("all conditions hold together, two of a kind as well") {
  const config::Listener rules = listener({
      {path({prefix("/a")}), path({regex("b$")}), host({wildcard("*.com")}), host({prefix("x")})},
      {negate(negate(path({exact("/a/c")})))},
  });
  Request request;
  CHECK(rule_for(rules, request.host("x.com").path("/a/b")) == 0);
  CHECK(rule_for(rules, request.host("y.com")) == 2);
  CHECK(rule_for(rules, request.host("x.com").path("/b")) == 2);
  CHECK(rule_for(rules, request.path("/a/c")) == 1);
}

TEST_CASE("captures come from the first path regex of the winner that matches") {
  const config::Listener rules = listener({
      {path({exact("/plain"), regex("^/users/([0-9]+)(/x)?$"), regex("^/(u)")})},
      {path({regex("^/lit"), regex("^/(l)")})},
      {path({regex("^/exact$"), regex("/(e)")})},
      {path({regex("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)")})},
      {path({wildcard("/w/*")}), path({regex("/([^/]*)$")})},
      {negate(path({regex("^/(never)")}))},
  });
  const auto matcher = matcher_of(rules);
  Request request;
  const auto at = [&](std::string_view path) { return matcher->match(request.path(path).get()); };
  RouteMatch match = at("/users/42");
  CHECK(match.rule == 0);
  CHECK(match.captures.group[0] == "42");
  CHECK(match.captures.group[0].data() == request.get().path.data() + 7);
  CHECK(match.captures.group[1].empty());
  CHECK(at("/users/42/x").captures.group[1] == "/x");
  CHECK(at("/u").captures.group[0] == "u");
  CHECK(at("/plain").captures.group[0].empty());
  CHECK(at("/lit").captures.group[0].empty());
  CHECK(at("/l").captures.group[0] == "l");
  CHECK(at("/exact").captures.group[0].empty());
  CHECK(at("/e").captures.group[0] == "e");
  match = at("/abcdefghij");
  CHECK(match.rule == 3);
  CHECK(match.captures.group[8] == "i");
  CHECK(at("/w/a/last").captures.group[0] == "last");
  CHECK(at("/other").captures.group[0].empty());
}

TEST_CASE("a regex that RE2 refuses is an error at its place with the reason") {
  config::Listener rules = listener({
      {path({prefix("/")}), path({regex("^/ok$"), regex("(a)\\1")})},
      {negate(header("x", {regex("(?=a)b")}))},
      {query("q", {regex("(")})},
      {host({regex("(?<name>a)")})},
  });
  rules.rules[0].conditions[1].patterns[1].at = {12, 9};
  config::Diagnostics out("test.yaml", "");
  CHECK(RuleTable::compile(rules, "listeners[3]", out) == nullptr);
  REQUIRE(out.errors() == 4);
  CHECK(out.all()[0].at.line == 12);
  CHECK(out.all()[0].at.column == 9);
  CHECK(out.all()[0].path == "listeners[3].rules[0].conditions[1].path[1]");
  CHECK(out.all()[0].message == "regex \"(a)\\1\": invalid escape sequence: \\1");
  CHECK(out.all()[0].hint == "RE2 has no back-references");
  CHECK(out.all()[1].path == "listeners[3].rules[1].conditions[0].not.header.values");
  CHECK(out.all()[1].hint.starts_with("RE2 has no lookahead and no lookbehind"));
  CHECK(out.all()[2].path == "listeners[3].rules[2].conditions[0].query.values");
  CHECK(out.all()[2].hint.empty());
  CHECK(out.all()[3].hint == "write a named group as (?P<name>...)");
}

TEST_CASE("bytes that are not UTF-8 do not slip past a deny rule") {
  // Deny unless the value is clean; and deny what looks like an attack, with a byte in front that breaks UTF-8.
  const config::Listener rules = listener({
      {path({regex("\\.php")})},
      {header("x-role", {regex("[^a-z]")})},
      {query("q", {regex("(?i)select")})},
      {negate(header("x-role", {regex("^[a-z]+$")}))},
  });
  Request attack;
  CHECK(rule_for(rules, attack.path("/\xff/x.php")) == 0);
  Request role;
  CHECK(rule_for(rules, role.field("x-role", "admin\xff")) == 1);
  Request encoded;
  CHECK(rule_for(rules, encoded.field("x-role", "user").query("q=%ff%fe+SELECT")) == 2);
  Request absent;
  CHECK(rule_for(rules, absent) == 3);
  Request clean;
  CHECK(rule_for(rules, clean.field("x-role", "user")) == 4);
}

TEST_CASE("a deny rule of each kind of condition takes bytes that are not UTF-8 as they are") {
  const std::string bad = "a\xff\xc3(";  // no UTF-8 sequence is whole
  const auto denied = [](config::Condition condition, Request& request) {
    return rule_for(listener({{std::move(condition)}}), request) == 0;
  };
  // Each form of a pattern that is meant to match it, and what a rule "unless it is clean" looks like.
  const std::vector<config::Pattern> matching = {exact(bad), prefix("a\xff"), wildcard("a*("), wildcard("a???"),
                                                 regex("\\(")};
  for (const config::Pattern& p : matching) {
    INFO(to_text(p));
    Request request;
    request.host(bad).path("/" + bad).query("q=" + bad).method(bad).tls(bad, "h2");
    request.field("x-a", bad).field("x-list", "b, " + bad).field("Cookie", "c=" + bad);
    CHECK(denied(header("x-a", {p}), request));
    CHECK(denied(items("x-list", {p}), request));
    CHECK(denied(cookie("c", {p}), request));
    CHECK(denied(query("q", {p}), request));
    CHECK(denied(host({p}), request));
    CHECK(denied(sni({p}), request));
    CHECK(denied(method({p}), request));
    config::Pattern of_path = p;
    if (p.kind != config::Pattern::Kind::kRegex) of_path.text = "/" + p.text;
    if (p.kind != config::Pattern::Kind::kPrefix) CHECK(denied(path({of_path}), request));  // whole segments only
    CHECK(denied(group(Kind::kAny, {method({exact("GET")}), header("x-a", {p})}), request));
    CHECK(denied(group(Kind::kAll, {header("x-a", {p}), cookie("c", {p})}), request));
    CHECK(denied(negate(negate(header("x-a", {p}))), request));
  }
  Request request;
  request.field("x-a", bad).query("q=%ff").method("\xff");
  const config::Pattern clean = regex("^[a-z]+$");
  CHECK(denied(negate(header("x-a", {clean})), request));
  CHECK(denied(negate(query("q", {clean})), request));
  CHECK(denied(negate(method({clean})), request));
  CHECK(denied(negate(header("x-a", {range(0, 9)})), request));
  CHECK(denied(header("x-a", {wildcard("*")}), request));  // present
}

TEST_CASE("a regex set that is out of memory is matched one by one and counted") {
  config::Listener rules;
  for (int i = 0; i < 100; ++i) add_rule(rules, {path({regex("x" + std::to_string(i) + "(y+)$")})});
  config::Diagnostics out("test.yaml", "");
  const auto tiny = compile_rules(rules, "listeners[0]", out, RegexBudget{.set = 1})->make_matcher();
  const auto ample = compile_rules(rules, "listeners[0]", out, RegexBudget())->make_matcher();
  Request request;
  for (const int i : {0, 7, 63, 64, 99}) {
    request.path("/x" + std::to_string(i) + "yyy");
    const RouteMatch match = tiny->match(request.get());
    CHECK(match.rule == static_cast<std::uint32_t>(i));
    CHECK(match.captures.group[0] == "yyy");
    CHECK(ample->match(request.get()).rule == static_cast<std::uint32_t>(i));
  }
  CHECK(tiny->match(request.path("/z").get()).rule == 100);
  CHECK(tiny->regex_fallbacks() > 0);
  CHECK(ample->regex_fallbacks() == 0);
}

TEST_CASE("ten thousand rules each find their own") {
  config::Listener rules;
  for (int i = 0; i < 10'000; ++i) {
    const std::string n = std::to_string(i);
    switch (i % 5) {
      case 0: add_rule(rules, {host({exact("h" + n + ".example.com")}), path({prefix("/p" + n)})}); break;
      case 1: add_rule(rules, {host({wildcard("*.h" + n + ".example.com")})}); break;
      case 2: add_rule(rules, {path({regex("^/r" + n + "/v([0-9]+)/")})}); break;
      case 3: add_rule(rules, {host({exact("shared")}), header("x-n", {exact(n)})}); break;
      default: add_rule(rules, {path({exact("/s" + n), wildcard("/w" + n + "-*")})}); break;
    }
  }
  const auto matcher = matcher_of(rules);
  for (int i = 0; i < 10'000; i += 37) {
    const std::string n = std::to_string(i);
    Request request;
    request.host("none").path("/none");
    switch (i % 5) {
      case 0: request.host("H" + n + ".example.com:80").path("/p" + n + "/x"); break;
      case 1: request.host("a.b.h" + n + ".example.com"); break;
      case 2: request.path("/r" + n + "/v7/x"); break;
      case 3: request.host("shared").field("x-n", n); break;
      default: request.path(i % 2 == 0 ? "/s" + n : "/w" + n + "-a/x"); break;
    }
    CHECK(matcher->match(request.get()).rule == static_cast<std::uint32_t>(i));
  }
}

TEST_CASE("literals of more lengths than a node holds are still told apart") {
  config::Listener rules;
  for (std::size_t n = 20; n > 0; --n) add_rule(rules, {path({wildcard("/" + std::string(n, 'a') + "*")})});
  for (std::size_t n = 1; n < 25; ++n) {
    Request request;
    CHECK(rule_for(rules, request.path("/" + std::string(n, 'a') + "b")) == 20 - std::min<std::size_t>(n, 20));
  }
}

TEST_CASE("many regexes behind one literal become a set, few stay where it leads") {
  config::Listener rules;
  for (int i = 0; i < 100; ++i) {
    add_rule(rules, {path({regex("^/api/(x+)" + std::to_string(i) + "$")})});
    if (i < 10) add_rule(rules, {path({regex("^/few/(y+)" + std::to_string(i) + "$")})});
  }
  const auto matcher = matcher_of(rules);
  Request request;
  const RouteMatch many = matcher->match(request.path("/api/xx99").get());
  CHECK(many.rule == 109);
  CHECK(many.captures.group[0] == "xx");
  const RouteMatch few = matcher->match(request.path("/few/y9").get());
  CHECK(few.rule == 19);
  CHECK(few.captures.group[0] == "y");
  CHECK(matcher->match(request.path("/api/xx100").get()).rule == 110);
}

TEST_CASE("a rule of very many hosts and paths is found by each") {
  Patterns hosts;
  Patterns paths;
  for (int i = 0; i < 60; ++i) {
    hosts.push_back(exact("h" + std::to_string(i)));
    paths.push_back(exact("/p" + std::to_string(i)));
  }
  const config::Listener rules = listener({{host(hosts), path(paths)}});
  Request request;
  CHECK(rule_for(rules, request.host("h59").path("/p0")) == 0);
  CHECK(rule_for(rules, request.host("h0").path("/p59")) == 0);
  CHECK(rule_for(rules, request.host("h0").path("/p60")) == 1);
}

TEST_CASE("matchers outlive the table they came from") {
  config::Diagnostics out("test.yaml", "");
  auto table = RuleTable::compile(listener({{path({regex("^/(a+)")})}}), "listeners[0]", out);
  const auto matcher = table->make_matcher();
  table.reset();
  Request request;
  CHECK(matcher->match(request.path("/aa").get()).captures.group[0] == "aa");
}

}  // namespace
}  // namespace albatross::test
