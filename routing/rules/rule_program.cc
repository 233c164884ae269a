#include "routing/rules/rule_program.h"

#include <algorithm>

namespace albatross {
namespace {

using Kind = config::Condition::Kind;

constexpr std::uint32_t kMostIndexEntries = 1024;  // of one rule: its hosts times its paths

const char* key_of(Kind kind) {
  switch (kind) {
    case Kind::kHost: return ".host";
    case Kind::kPath: return ".path";
    case Kind::kHeader: return ".header.values";
    case Kind::kItems: return ".header.items";
    case Kind::kCookie: return ".cookie.values";
    case Kind::kQuery: return ".query.values";
    case Kind::kMethod: return ".method";
    case Kind::kSourceIp: return ".source_ip";
    case Kind::kTime: return ".time";
    case Kind::kSni: return ".sni";
    case Kind::kAlpn: return ".alpn";
    case Kind::kNot: return ".not";
    case Kind::kAll: return ".all";
    case Kind::kAny: return ".any";
  }
  return "";
}

TextMatcher::Subject subject_of(Kind kind) {
  if (kind == Kind::kHost || kind == Kind::kSni) return TextMatcher::Subject::kHost;
  return kind == Kind::kPath ? TextMatcher::Subject::kPath : TextMatcher::Subject::kOther;
}

std::uint32_t size_of(const Range& range) { return range.end - range.begin; }

template <class T>
std::uint32_t count(const std::vector<T>& all) {
  return static_cast<std::uint32_t>(all.size());
}

// Orders the checks: the cheapest one first.
int cost(const Check& check, const Programs& programs) {
  switch (check.kind) {
    case Kind::kMethod:
    case Kind::kAlpn: return 0;
    case Kind::kTime:
    case Kind::kSourceIp: return 1;
    case Kind::kAll:
    case Kind::kAny: return 5;
    default: break;
  }
  for (std::uint32_t i = check.values.begin; i < check.values.end; ++i) {
    if (programs.values[i].shape == TextMatcher::Shape::kRegex) return 4;
  }
  return check.kind == Kind::kHost || check.kind == Kind::kPath || check.kind == Kind::kSni ? 2 : 3;
}

}  // namespace

IndexKeys ProgramBuilder::add(const config::Rule& rule, const std::string& path) {
  std::vector<Check> compiled;
  for (std::size_t i = 0; i < rule.conditions.size(); ++i) {
    compiled.push_back(compile(rule.conditions[i], config::element_path(path + ".conditions", i)));
  }
  RuleProgram program;
  program.captures = add_captures(rule, compiled);

  IndexKeys keys;
  const auto take = [&compiled](Kind kind, bool& has, Range& range) {
    const auto found =
        std::find_if(compiled.begin(), compiled.end(), [kind](const Check& c) { return c.kind == kind && !c.negated; });
    if (found == compiled.end()) return;
    has = true;
    range = found->values;
    compiled.erase(found);
  };
  take(Kind::kHost, keys.has_host, keys.host);
  const auto path_check = std::find_if(compiled.begin(), compiled.end(),
                                       [](const Check& c) { return c.kind == Kind::kPath && !c.negated; });
  const bool fits = path_check == compiled.end() || !keys.has_host ||
                    std::uint64_t{size_of(keys.host)} * size_of(path_check->values) <= kMostIndexEntries;
  if (fits) take(Kind::kPath, keys.has_path, keys.path);

  std::stable_sort(compiled.begin(), compiled.end(),
                   [this](const Check& a, const Check& b) { return cost(a, programs_) < cost(b, programs_); });
  program.checks.begin = count(programs_.checks);
  programs_.checks.insert(programs_.checks.end(), compiled.begin(), compiled.end());
  program.checks.end = count(programs_.checks);
  programs_.rules.push_back(program);
  return keys;
}

Check ProgramBuilder::compile(const config::Condition& condition, const std::string& path) {
  if (condition.kind == Kind::kNot) {
    if (condition.inner.empty()) return Check{.kind = Kind::kMethod, .negated = true};
    Check inner = compile(condition.inner.front(), path + ".not");
    inner.negated = !inner.negated;
    return inner;
  }
  if (condition.kind == Kind::kAll || condition.kind == Kind::kAny) return compile_group(condition, path);
  Check check{.kind = condition.kind};
  if (condition.kind == Kind::kSourceIp) {
    check.values.begin = count(programs_.networks);
    for (const config::Value<std::string>& text : condition.networks) {
      if (const auto network = Network::parse(*text)) programs_.networks.push_back(*network);
    }
    check.values.end = count(programs_.networks);
    return check;
  }
  if (condition.kind == Kind::kTime) {
    check.values = compile_time(condition.time, path + ".time.time_zone");
    return check;
  }
  if (condition.kind == Kind::kHeader || condition.kind == Kind::kItems || condition.kind == Kind::kCookie ||
      condition.kind == Kind::kQuery) {
    check.name = name_of(condition);
  }
  check.values = compile_values(condition, path + key_of(condition.kind));
  return check;
}

Check ProgramBuilder::compile_group(const config::Condition& condition, const std::string& path) {
  std::vector<Check> all;
  for (std::size_t i = 0; i < condition.inner.size(); ++i) {
    all.push_back(compile(condition.inner[i], config::element_path(path + key_of(condition.kind), i)));
  }
  std::stable_sort(all.begin(), all.end(),
                   [this](const Check& a, const Check& b) { return cost(a, programs_) < cost(b, programs_); });
  Check check{.kind = condition.kind};
  check.values.begin = count(programs_.inner);
  programs_.inner.insert(programs_.inner.end(), all.begin(), all.end());
  check.values.end = count(programs_.inner);
  return check;
}

// Rules often share a window, such as the hours of an office.
Range ProgramBuilder::compile_time(const config::TimeWindow& window, const std::string& path) {
  if (const std::string why = time_zone_error(window.zone); !why.empty()) {
    out_.error(
        window.zone.at, path, why,
        "zones are named like Europe/Berlin; packages tzdata and libdate-tz, which was there when this was built");
    return {};
  }
  const std::string key = std::to_string(window.days) + " " + std::to_string(window.from) + " " +
                          std::to_string(window.to) + " " + *window.zone;
  const auto [known, is_new] = schedules_.try_emplace(key, count(programs_.schedules));
  if (is_new) programs_.schedules.emplace_back(window, static_cast<std::int64_t>(Clock().wall() / kSecond) - 86400);
  return {known->second, known->second + 1};
}

Range ProgramBuilder::compile_values(const config::Condition& condition, const std::string& path) {
  Range range{count(programs_.values), 0};
  for (std::size_t i = 0; i < condition.patterns.size(); ++i) {
    const config::Pattern& pattern = condition.patterns[i];
    TextMatcher value = TextMatcher::compile(pattern, subject_of(condition.kind));
    if (value.shape == TextMatcher::Shape::kRegex) {
      const std::string at = condition.patterns.size() == 1 ? path : config::element_path(path, i);
      value =
          compile_regex(pattern, pattern.ignore_case || subject_of(condition.kind) == TextMatcher::Subject::kHost, at);
    }
    programs_.values.push_back(std::move(value));
  }
  range.end = count(programs_.values);
  return range;
}

TextMatcher ProgramBuilder::compile_regex(const config::Pattern& pattern, bool ignore_case, const std::string& path) {
  TextMatcher value;
  value.shape = TextMatcher::Shape::kRegex;
  if (!check_regex(pattern, ignore_case, budget_, path, out_)) return value;
  std::optional<SplitRegex> split = ignore_case ? std::nullopt : split_regex(pattern.text);
  if (split && (split->rest.empty() || split->rest == "$")) {
    value.shape = split->rest.empty() ? TextMatcher::Shape::kPrefix : TextMatcher::Shape::kExact;
    value.text = std::move(split->literal);
    return value;
  }
  std::optional<std::uint32_t> number;
  if (split && !split->literal.empty()) number = programs_.regexes.add(split->rest, ignore_case, budget_);
  if (number) {
    value.text = std::move(split->literal);
  } else {
    number = programs_.regexes.add(pattern.text, ignore_case, budget_);
  }
  value.regex = number.value_or(0);  // the whole pattern has been checked
  return value;
}

std::uint32_t ProgramBuilder::name_of(const config::Condition& condition) {
  const Kind kind = condition.kind == Kind::kItems ? Kind::kHeader : condition.kind;  // both look it up alike
  const auto [known, is_new] = names_.try_emplace({kind, condition.name}, count(programs_.names));
  if (is_new) {
    const HeaderId id = kind == Kind::kHeader ? header_id(condition.name) : HeaderId::kOther;
    programs_.names.push_back({kind, id, condition.name});
  }
  return known->second;
}

// A regex without groups stays in the list, because if it matches first, no capture is set.
Range ProgramBuilder::add_captures(const config::Rule& rule, const std::vector<Check>& compiled) {
  const std::uint32_t begin = count(programs_.captures);
  bool any_groups = false;
  for (std::size_t i = 0; i < compiled.size(); ++i) {
    const config::Condition& condition = rule.conditions[i];
    if (condition.kind != Kind::kPath) continue;
    for (std::size_t p = 0; p < condition.patterns.size(); ++p) {
      if (condition.patterns[p].kind != config::Pattern::Kind::kRegex) continue;
      programs_.captures.push_back(compiled[i].values.begin + static_cast<std::uint32_t>(p));
      any_groups = any_groups || condition.patterns[p].text.find('(') != std::string::npos;
    }
  }
  if (!any_groups) programs_.captures.resize(begin);
  return {begin, count(programs_.captures)};
}

}  // namespace albatross
