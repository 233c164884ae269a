#include "lint/contains.h"

#include <algorithm>

#include "base/ip.h"
#include "base/text.h"
#include "routing/rules/rule_table.h"
#include "routing/rules/text_matcher.h"

namespace albatross {
namespace {

using config::Condition;
using config::Pattern;
using Kind = Condition::Kind;
using Form = Pattern::Kind;

bool is_host(Kind kind) { return kind == Kind::kHost || kind == Kind::kSni; }

bool is_any(const Pattern& p) { return p.kind == Form::kWildcard && p.text == "*"; }

// "abc*": its literal part; nullopt for any other wildcard.
std::optional<std::string> literal_start(const Pattern& p) {
  if (p.kind != Form::kWildcard || !p.text.ends_with('*')) return std::nullopt;
  std::string literal = p.text.substr(0, p.text.size() - 1);
  if (literal.find_first_of("*?\\") != std::string::npos) return std::nullopt;
  return literal;
}

// "*.example.com": its literal part.
std::optional<std::string> literal_end(const Pattern& p) {
  if (p.kind != Form::kWildcard || !p.text.starts_with('*')) return std::nullopt;
  std::string literal = p.text.substr(1);
  if (literal.find_first_of("*?\\") != std::string::npos) return std::nullopt;
  return literal;
}

// Whether the plain evaluator finds the text to match a condition that has the pattern alone.
bool matches_text(const Condition& of, const Pattern& pattern, const std::string& text) {
  Condition one = of;
  one.patterns = {pattern};
  RouteQuery q;
  switch (of.kind) {
    case Kind::kHost: q.host = text; break;
    case Kind::kPath: q.path = text; break;
    case Kind::kMethod: q.method = text; break;
    case Kind::kSni: q.sni = text; break;
    default: {
      // Values of fields, cookies and parameters are compared alike.
      one.kind = Kind::kMethod;
      q.method = text;
    }
  }
  return matches(one, q);
}

bool contains(const Condition& of, const Pattern& wide, const Pattern& narrow) {
  if (is_any(wide)) return true;
  if (narrow.kind == Form::kRange)
    return wide.kind == Form::kRange && wide.least <= narrow.least && narrow.most <= wide.most;
  if (wide.kind == narrow.kind && wide.text == narrow.text &&
      (wide.ignore_case || wide.ignore_case == narrow.ignore_case)) {
    return true;
  }
  if (wide.kind == Form::kExact)
    return is_host(of.kind) && narrow.kind == Form::kExact && equals_ignore_case(wide.text, narrow.text);
  if (narrow.ignore_case && !wide.ignore_case && !is_host(of.kind)) return false;
  if (narrow.kind == Form::kExact) return matches_text(of, wide, narrow.text);
  const bool path = of.kind == Kind::kPath;
  if (narrow.kind == Form::kPrefix) {
    if (wide.kind == Form::kPrefix) {
      return path ? is_segment_prefix(wide.text, narrow.text) : narrow.text.starts_with(wide.text);
    }
    const auto start = literal_start(wide);
    return start && narrow.text.starts_with(*start);
  }
  if (narrow.kind == Form::kWildcard && !is_host(of.kind)) {
    const auto start = literal_start(narrow);
    if (!start) return false;
    if (const auto other = literal_start(wide)) return start->starts_with(*other);
    // "/v1/*" is below "/v1", "/v1*" is not.
    return wide.kind == Form::kPrefix &&
           (path ? start->ends_with('/') && is_segment_prefix(wide.text, *start) : start->starts_with(wide.text));
  }
  if (narrow.kind == Form::kWildcard) {
    const auto end = literal_end(narrow), other = literal_end(wide);
    return end && other && ascii_lower(*end).ends_with(ascii_lower(*other));
  }
  return false;
}

bool contains(const config::Value<std::string>& wide, const config::Value<std::string>& narrow) {
  const auto a = Network::parse(*wide), b = Network::parse(*narrow);
  if (!a || !b) return false;
  const std::string bits_a = wide->substr(wide->find('/') + 1), bits_b = narrow->substr(narrow->find('/') + 1);
  const auto address = IpAddress::parse(narrow->substr(0, narrow->find('/')));
  const bool same_family = (wide->find(':') == std::string::npos) == (narrow->find(':') == std::string::npos);
  return same_family && address && a->contains(*address) && std::stoul(bits_a) <= std::stoul(bits_b);
}

// Each of `narrow` is in one of `wide`.
template <class T, class Contains>
bool all_contained(const std::vector<T>& narrow, const std::vector<T>& wide, Contains in) {
  return !narrow.empty() && std::all_of(narrow.begin(), narrow.end(), [&](const T& n) {
    return std::any_of(wide.begin(), wide.end(), [&](const T& w) { return in(w, n); });
  });
}

bool one_value(Kind kind) {
  return kind == Kind::kHost || kind == Kind::kPath || kind == Kind::kMethod || kind == Kind::kSni ||
         kind == Kind::kAlpn;
}

// As far as days and hours without a night show it.
bool is_within(const config::TimeWindow& narrow, const config::TimeWindow& wide) {
  if (*narrow.zone != *wide.zone || (narrow.days & ~wide.days) != 0) return false;
  if (narrow.from == wide.from && narrow.to == wide.to) return true;
  return narrow.from < narrow.to && wide.from < wide.to && wide.from <= narrow.from && narrow.to <= wide.to;
}

}  // namespace

bool implies(const Condition& narrow, const Condition& wide) {
  const auto in_wide = [&wide](const Condition& c) { return implies(c, wide); };
  const auto of_narrow = [&narrow](const Condition& c) { return implies(narrow, c); };
  const auto all = [](const auto& list, auto test) { return std::all_of(list.begin(), list.end(), test); };
  const auto any = [](const auto& list, auto test) { return std::any_of(list.begin(), list.end(), test); };
  if (narrow.kind == Kind::kAny) return all(narrow.inner, in_wide);
  if (wide.kind == Kind::kAll) return all(wide.inner, of_narrow);
  if (narrow.kind == Kind::kAll) return any(narrow.inner, in_wide);
  if (wide.kind == Kind::kAny) return any(wide.inner, of_narrow);
  if (narrow.kind != wide.kind || narrow.name != wide.name) return false;
  if (narrow.kind == Kind::kNot) {
    return !narrow.inner.empty() && !wide.inner.empty() && implies(wide.inner[0], narrow.inner[0]);
  }
  if (narrow.kind == Kind::kTime) return is_within(narrow.time, wide.time);
  if (narrow.kind == Kind::kSourceIp) {
    return all_contained(narrow.networks, wide.networks, [](const auto& w, const auto& n) { return contains(w, n); });
  }
  return all_contained(narrow.patterns, wide.patterns,
                       [&wide](const Pattern& w, const Pattern& n) { return contains(wide, w, n); });
}

bool implies(const config::Rule& narrow, const config::Rule& wide) {
  return std::all_of(wide.conditions.begin(), wide.conditions.end(), [&narrow](const Condition& w) {
    return std::any_of(narrow.conditions.begin(), narrow.conditions.end(),
                       [&w](const Condition& n) { return implies(n, w); });
  });
}

bool exclude_each_other(const Condition& a, const Condition& b) {
  if (a.kind == Kind::kNot && b.kind != Kind::kNot) return !a.inner.empty() && implies(b, a.inner[0]);
  if (b.kind == Kind::kNot && a.kind != Kind::kNot) return exclude_each_other(b, a);
  if (a.kind != b.kind || !one_value(a.kind)) return false;
  const auto all_exact = [](const Condition& c) {
    return std::all_of(c.patterns.begin(), c.patterns.end(), [](const Pattern& p) { return p.kind == Form::kExact; });
  };
  if (!all_exact(a)) return all_exact(b) && exclude_each_other(b, a);
  return std::none_of(a.patterns.begin(), a.patterns.end(), [&b](const Pattern& p) {
    return std::any_of(b.patterns.begin(), b.patterns.end(),
                       [&](const Pattern& q) { return matches_text(b, q, p.text); });
  });
}

}  // namespace albatross
