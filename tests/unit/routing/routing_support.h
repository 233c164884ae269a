// Short ways to write conditions, rules and requests in the tests of routing/.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "routing/rules/rule_table.h"

namespace albatross::test {

using Kind = config::Condition::Kind;
using Patterns = std::vector<config::Pattern>;

inline config::Pattern exact(std::string text) { return {config::Pattern::Kind::kExact, false, std::move(text), {}}; }
inline config::Pattern prefix(std::string text) { return {config::Pattern::Kind::kPrefix, false, std::move(text), {}}; }
inline config::Pattern wildcard(std::string text) {
  return {config::Pattern::Kind::kWildcard, false, std::move(text), {}};
}
inline config::Pattern regex(std::string text, bool ignore_case = false) {
  return {config::Pattern::Kind::kRegex, ignore_case, std::move(text), {}};
}

inline config::Condition condition(Kind kind, Patterns patterns, std::string name = {}) {
  config::Condition out;
  out.kind = kind;
  out.patterns = std::move(patterns);
  out.name = std::move(name);
  return out;
}
inline config::Condition host(Patterns p) { return condition(Kind::kHost, std::move(p)); }
inline config::Condition path(Patterns p) { return condition(Kind::kPath, std::move(p)); }
inline config::Condition method(Patterns p) { return condition(Kind::kMethod, std::move(p)); }
inline config::Condition header(std::string name, Patterns p) {
  return condition(Kind::kHeader, std::move(p), std::move(name));
}
inline config::Condition cookie(std::string name, Patterns p) {
  return condition(Kind::kCookie, std::move(p), std::move(name));
}
inline config::Condition query(std::string name, Patterns p) {
  return condition(Kind::kQuery, std::move(p), std::move(name));
}
inline config::Condition source_ip(const std::vector<std::string>& networks) {
  config::Condition out = condition(Kind::kSourceIp, {});
  for (const std::string& network : networks) out.networks.emplace_back(network);
  return out;
}
inline config::Condition sni(Patterns p) { return condition(Kind::kSni, std::move(p)); }
inline config::Condition alpn(Patterns p) { return condition(Kind::kAlpn, std::move(p)); }
inline config::Condition when(config::TimeWindow window) {
  config::Condition out = condition(Kind::kTime, {});
  out.time = std::move(window);
  return out;
}
inline config::Pattern range(std::int64_t least, std::int64_t most) {
  return {config::Pattern::Kind::kRange, false, {}, {}, least, most};
}
inline config::Condition items(std::string name, Patterns p) {
  return condition(Kind::kItems, std::move(p), std::move(name));
}
// All or any of them.
inline config::Condition group(Kind kind, std::vector<config::Condition> inner) {
  config::Condition out = condition(kind, {});
  out.inner = std::move(inner);
  return out;
}
inline config::Condition negate(config::Condition inner) {
  config::Condition out = condition(Kind::kNot, {});
  out.inner.push_back(std::move(inner));
  return out;
}

inline void add_rule(config::Listener& listener, std::vector<config::Condition> conditions) {
  listener.rules.emplace_back().conditions = std::move(conditions);
}
inline config::Listener listener(std::vector<std::vector<config::Condition>> rules) {
  config::Listener out;
  for (auto& conditions : rules) add_rule(out, std::move(conditions));
  return out;
}

// A request and all that its RouteQuery views.
class Request {
 public:
  Request() : fields_(arena_) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  Request& host(std::string_view text) { return set(query_.host, text); }
  Request& path(std::string_view text) { return set(query_.path, text); }
  Request& query(std::string_view text) { return set(query_.query, text); }
  Request& method(std::string_view text) { return set(query_.method, text); }
  Request& field(std::string_view name, std::string_view value) {
    fields_.add(arena_.copy(name), arena_.copy(value));
    return *this;
  }
  Request& from(std::string_view address) {
    query_.source = IpAddress::parse(address).value_or(IpAddress());
    return *this;
  }

  Request& tls(std::string_view name, std::string_view protocol) {
    return set(query_.sni, name).set(query_.alpn, protocol);
  }
  Request& at(std::int64_t seconds) {
    query_.wall = static_cast<Nanos>(seconds) * kSecond;
    return *this;
  }

  const RouteQuery& get() {
    query_.fields = &fields_;
    return query_;
  }
  Fields& fields() { return fields_; }

 private:
  Request& set(std::string_view& where, std::string_view text) {
    where = arena_.copy(text);
    return *this;
  }

  Arena arena_;
  Fields fields_;
  RouteQuery query_{.host = "example.com", .path = "/", .query = {}, .method = "GET", .fields = nullptr, .source = {}};
};

// Null when the rules have errors.
inline std::unique_ptr<RuleTable::Matcher> matcher_of(const config::Listener& rules) {
  config::Diagnostics out("test.yaml", "");
  const auto table = RuleTable::compile(rules, "listeners[0]", out);
  return table == nullptr ? nullptr : table->make_matcher();
}

// First match by the plain conditions: what the table must equal.
inline std::uint32_t plain_match(const config::Listener& rules, const RouteQuery& request) {
  std::uint32_t i = 0;
  for (; i < rules.rules.size(); ++i) {
    bool all = true;
    for (const config::Condition& c : rules.rules[i].conditions) all = all && matches(c, request);
    if (all) break;
  }
  return i;
}

}  // namespace albatross::test
