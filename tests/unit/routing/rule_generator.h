// Rules and requests over a small alphabet, so that they often meet. Drawn from random numbers or from a fuzzer's
// bytes.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "routing/rules/regex.h"
#include "tests/unit/routing/routing_support.h"

namespace albatross::test {

class RuleGenerator {
 public:
  // pick(n) draws a number below n.
  explicit RuleGenerator(std::function<std::uint32_t(std::uint32_t)> pick) : pick_(std::move(pick)) {}

  config::Listener rules(std::uint32_t count) {
    config::Listener out;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::vector<config::Condition> conditions;
      for (std::uint32_t n = pick_(4); n > 0; --n) conditions.push_back(any_condition(0));
      add_rule(out, std::move(conditions));
    }
    return out;
  }

  void fill(Request& request) {
    request.host(host_text()).path(path_text()).query(query_text()).method(one_of<3>({"GET", "POST", "get"}));
    for (std::uint32_t n = pick_(4); n > 0; --n) {
      request.field(one_of<5>({"x-a", "X-A", "x-b", "User-Agent", "Cookie"}),
                    one_of<10>({"a", "b", "ab", "", "a=b; b=a", "a=a", "a, b", "b,\"a,b\" ,a", "7", "-1"}));
    }
    if (pick_(2) == 0) request.tls(host_text(), one_of<3>({"h2", "http/1.1", ""}));
    request.at(std::int64_t{1'795'000'000} + 3600 * pick_(200));
    request.from(one_of<4>({"10.0.0.1", "10.9.0.1", "::1", ""}));
  }

 private:
  template <std::size_t N>
  std::string one_of(const std::array<const char*, N>& all) {
    return all[pick_(N)];
  }

  config::Condition any_condition(int depth) {
    switch (pick_(depth < 3 ? 17 : 15)) {
      case 0:
      case 1: return host(patterns([this] { return host_pattern(); }));
      case 2:
      case 3:
      case 4:
      case 5: return path(patterns([this] { return path_pattern(); }));
      case 6: return header(one_of<3>({"x-a", "x-b", "user-agent"}), patterns([this] { return value_pattern(); }));
      case 7: return cookie(one_of<2>({"a", "b"}), patterns([this] { return value_pattern(); }));
      case 8: return query(one_of<3>({"a", "b", ""}), patterns([this] { return value_pattern(); }));
      case 9: return method({exact(one_of<2>({"GET", "POST"}))});
      case 10: return source_ip({one_of<3>({"10.0.0.0/16", "0.0.0.0/0", "::/0"})});
      case 11: return items(one_of<2>({"x-a", "x-b"}), patterns([this] { return value_pattern(); }));
      case 12: return sni(patterns([this] { return host_pattern(); }));
      case 13: return alpn({exact(one_of<2>({"h2", "http/1.1"}))});
      case 14: {
        config::TimeWindow window;
        window.days = static_cast<std::uint8_t>(1 + pick_(127));
        window.from = static_cast<std::uint16_t>(60 * pick_(24));
        if (pick_(2) == 0) window.to = static_cast<std::uint16_t>(60 * pick_(24) + 1);
        return when(window);
      }
      case 15: {
        std::vector<config::Condition> inner;
        for (std::uint32_t n = 1 + pick_(3); n > 0; --n) inner.push_back(any_condition(depth + 1));
        return group(pick_(2) == 0 ? Kind::kAll : Kind::kAny, std::move(inner));
      }
      default: return negate(any_condition(depth + 1));
    }
  }

  template <class Draw>
  Patterns patterns(Draw&& draw) {
    Patterns out;
    for (std::uint32_t n = 1 + pick_(3); n > 0; --n) out.push_back(draw());
    return out;
  }

  std::string host_text() {
    std::string out;
    for (std::uint32_t n = pick_(4); n > 0; --n) out += one_of<5>({"a", "b", "A", ".", "ab."});
    return out + one_of<6>({"", "", ".a", ".b", ":80", ".:80"});
  }

  config::Pattern host_pattern() {
    switch (pick_(6)) {
      case 0: return exact(host_text());
      case 1: return prefix(one_of<3>({"a", "B", "ab."}));
      case 2: return wildcard("*." + host_text());
      case 3: return wildcard(one_of<6>({"*", "a*", "*a*", "?.*", "*b", "\\*"}));
      case 4: return valid_regex(random_regex(), pick_(2) == 0);
      default: return wildcard(one_of<3>({"*.a", "*.b.a", "*.ab.a"}));
    }
  }

  std::string path_text() {
    std::string out;
    for (std::uint32_t n = pick_(5); n > 0; --n) out += one_of<7>({"/", "/a", "/b", "/ab", "/a/b", "a", "\xff"});
    return out.empty() ? one_of<2>({"/", "*"}) : out;
  }

  config::Pattern path_pattern() {
    switch (pick_(10)) {
      case 0: return exact(path_text());
      case 1:
      case 2: return prefix(path_text());
      case 3: return wildcard(path_text() + "/*");
      case 4: return wildcard(path_text() + "*");
      case 5: return wildcard(one_of<8>({"*", "/*", "*b", "/*/b", "/?", "*a*", "/a*b", "/\\*"}));
      case 6: return valid_regex("^" + path_text() + random_regex(), false);
      case 7:
        return valid_regex("^" + path_text() + one_of<5>({"(a)?", "(/.*)$", "(b|/)+", "/([^/]*)", "[ab]*(/b)"}), false);
      default: return valid_regex(random_regex(), pick_(4) == 0);
    }
  }

  config::Pattern value_pattern() {
    switch (pick_(5)) {
      case 4: return range(static_cast<std::int64_t>(pick_(3)) - 1, pick_(12));
      case 0: return exact(one_of<4>({"a", "b", "", "a b"}));
      case 1: return prefix(one_of<3>({"a", "b", ""}));
      case 2: return wildcard(one_of<5>({"*", "a*", "*b", "?", "*a*"}));
      default: return valid_regex(random_regex(), pick_(2) == 0);
    }
  }

  std::string random_regex() {
    std::string out;
    for (std::uint32_t n = 1 + pick_(5); n > 0; --n) {
      out += one_of<24>({"^", "/", "a",   "b",   "ab",  "[ab]", "(a)", "(b|/)", "?",    "*",       "+",    "/a",
                         "$", "|", "\\.", "{2}", "[^a", "]",    "\\b", "(/b)?", "(?i)", "\\Qa\\E", "\xff", "."});
    }
    return out;
  }

  static config::Pattern valid_regex(std::string text, bool ignore_case) {
    const RE2 compiled(text, regex_options(ignore_case, RegexBudget().pattern));
    return regex(compiled.ok() ? std::move(text) : "a", ignore_case);
  }

  std::string query_text() {
    std::string out;
    for (std::uint32_t n = pick_(4); n > 0; --n) {
      out += one_of<10>({"a=a", "b=b", "&", "&", "a", "%61=%62", "a=a+b", "a=7", "b=%", "a=%4"}) + one_of<2>({"", "&"});
    }
    return out;
  }

  std::function<std::uint32_t(std::uint32_t)> pick_;
};

// The captures by the definition: the winner's path regexes in order, whole and uncut.
inline Captures plain_captures(const config::Rule& rule, std::string_view path) {
  Captures out;
  for (const config::Condition& c : rule.conditions) {
    if (c.kind != Kind::kPath) continue;
    for (const config::Pattern& p : c.patterns) {
      if (p.kind != config::Pattern::Kind::kRegex) continue;
      const RE2 compiled(p.text, regex_options(p.ignore_case, RegexBudget().pattern));
      re2::StringPiece groups[Captures::kMax + 1];
      const int count = std::min(compiled.NumberOfCapturingGroups(), Captures::kMax);
      if (!compiled.Match(piece(path), 0, path.size(), RE2::UNANCHORED, groups, count + 1)) continue;
      for (int g = 0; g < count; ++g) {
        const re2::StringPiece& group = groups[g + 1];
        if (group.data() != nullptr) out.group[g] = {group.data(), group.size()};
      }
      return out;
    }
  }
  return out;
}

// Empty, or what differs between the matcher and the plain conditions.
inline std::string difference(const config::Listener& rules, RuleTable::Matcher& matcher, Request& request) {
  const RouteMatch match = matcher.match(request.get());
  const std::uint32_t expected = plain_match(rules, request.get());
  if (match.rule != expected) return "rule " + std::to_string(match.rule) + ", not " + std::to_string(expected);
  if (expected == rules.rules.size()) return {};
  const Captures captures = plain_captures(rules.rules[expected], request.get().path);
  for (int g = 0; g < Captures::kMax; ++g) {
    if (match.captures.group[g] != captures.group[g])
      return "capture " + std::to_string(g + 1) + " of rule " + std::to_string(expected);
  }
  return {};
}

}  // namespace albatross::test
