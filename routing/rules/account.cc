#include "routing/rules/account.h"

#include <vector>

#include "routing/rules/condition.h"
#include "routing/rules/time_window.h"

namespace albatross {
namespace {

using Kind = config::Condition::Kind;

std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : between) + text;
  return out;
}

// What the condition looks at: "host", "header user-agent".
std::string subject(const config::Condition& c) {
  switch (c.kind) {
    case Kind::kHost: return "host";
    case Kind::kPath: return "path";
    case Kind::kHeader: return "header " + c.name;
    case Kind::kCookie: return "cookie " + c.name;
    case Kind::kQuery: return "query parameter " + c.name;
    case Kind::kMethod: return "method";
    case Kind::kSourceIp: return "client address";
    case Kind::kItems: return "an item of header " + c.name;
    case Kind::kTime: return "time";
    case Kind::kSni: return "SNI";
    case Kind::kAlpn: return "ALPN";
    case Kind::kNot: return "not";
    case Kind::kAll: return "all";
    case Kind::kAny: return "any";
  }
  return {};
}

std::string clock_text(int minutes) {
  const auto two = [](int n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return two(minutes / 60) + ":" + two(minutes % 60);
}

std::string to_text(const config::TimeWindow& w) {
  static constexpr const char* kDays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
  std::vector<std::string> days;
  for (unsigned day = 1; day <= 7; ++day) {
    if ((w.days >> (day % 7) & 1) != 0) days.emplace_back(kDays[day % 7]);
  }
  const bool whole_day = w.to - w.from == 1440;
  return (days.size() == 7 ? "" : joined(days, " ") + " ") +
         (whole_day ? "" : clock_text(w.from) + "-" + clock_text(w.to) + " ") + *w.zone;
}

std::string decoded(std::string_view raw) {
  std::string text(raw.size(), '\0');
  text.resize(decode_query_text(raw, text.data()));
  return text;
}

// The values of the request that the condition was compared with.
std::vector<std::string> values(const config::Condition& c, const RouteQuery& q) {
  std::vector<std::string> out;
  const auto add = [&out](std::string_view value) {
    out.emplace_back(value);
    return false;
  };
  switch (c.kind) {
    case Kind::kHost: add(bare_host(q.host)); break;
    case Kind::kPath: add(q.path); break;
    case Kind::kHeader:
      if (q.fields != nullptr) any_field(*q.fields, header_id(c.name), c.name, add);
      break;
    case Kind::kItems:
      if (q.fields != nullptr) {
        any_field(*q.fields, header_id(c.name), c.name, [&add](std::string_view line) { return any_item(line, add); });
      }
      break;
    case Kind::kCookie:
      if (q.fields != nullptr) any_cookie(*q.fields, c.name, add);
      break;
    case Kind::kQuery: any_parameter(q.query, c.name, [&](std::string_view raw) { return add(decoded(raw)); }); break;
    case Kind::kMethod: add(q.method); break;
    case Kind::kSourceIp: add(q.source.valid ? q.source.to_string() : "that of a unix socket"); break;
    case Kind::kTime: add(local_time(c.time.zone, static_cast<std::int64_t>(q.wall / kSecond))); break;
    case Kind::kSni:
      if (!q.sni.empty()) add(q.sni);
      break;
    case Kind::kAlpn:
      if (!q.alpn.empty()) add(q.alpn);
      break;
    case Kind::kNot:
    case Kind::kAll:
    case Kind::kAny: break;
  }
  return out;
}

// What is there in place of what the condition wants.
std::string found(const config::Condition& c, const RouteQuery& q) {
  if (c.kind == Kind::kNot) {
    if (c.inner.empty()) return {};
    const config::Condition& inner = c.inner.front();
    const bool plain = inner.kind < Kind::kNot;
    return plain ? subject(inner) + " is " + found(inner, q) : "that holds";
  }
  if (c.kind == Kind::kAll || c.kind == Kind::kAny) {
    std::string out;
    for (const config::Condition& inner : c.inner) {
      if (matches(inner, q)) continue;
      out += (out.empty() ? "" : "; ") + (inner.kind < Kind::kNot ? subject(inner) + " is " : "") + found(inner, q);
      if (c.kind == Kind::kAll) break;
    }
    return out;
  }
  const std::vector<std::string> all = values(c, q);
  if (all.empty()) return "none";
  std::vector<std::string> quoted;
  for (const std::string& value : all) quoted.push_back(value.empty() ? "\"\"" : value);
  return joined(quoted, ", ");
}

}  // namespace

std::string to_text(const config::Pattern& p) {
  switch (p.kind) {
    case config::Pattern::Kind::kExact: return p.text.empty() ? "\"\"" : p.text;
    case config::Pattern::Kind::kPrefix: return p.text + " and below";
    case config::Pattern::Kind::kWildcard: return p.text;
    case config::Pattern::Kind::kRange: return std::to_string(p.least) + " to " + std::to_string(p.most);
    case config::Pattern::Kind::kRegex: return (p.ignore_case ? "~*" : "~") + p.text;
  }
  return {};
}

std::string to_text(const config::Condition& c) {
  if (c.kind == Kind::kNot) return "not (" + (c.inner.empty() ? "" : to_text(c.inner.front())) + ")";
  if (c.kind == Kind::kAll || c.kind == Kind::kAny) {
    std::vector<std::string> parts;
    for (const config::Condition& inner : c.inner) parts.push_back(to_text(inner));
    return "(" + joined(parts, c.kind == Kind::kAll ? ") and (" : ") or (") + ")";
  }
  std::vector<std::string> wanted;
  for (const config::Pattern& p : c.patterns) wanted.push_back(to_text(p));
  for (const auto& network : c.networks) wanted.push_back(*network);
  if (c.kind == Kind::kTime) wanted.push_back(to_text(c.time));
  return subject(c) + " is " + joined(wanted, " or ");
}

std::optional<Mismatch> first_mismatch(const config::Rule& rule, const RouteQuery& query) {
  for (const config::Condition& c : rule.conditions) {
    if (!matches(c, query)) return Mismatch{&c, to_text(c), found(c, query)};
  }
  return std::nullopt;
}

}  // namespace albatross
