// matches() of rule_table.h: evaluates each condition directly, with nothing compiled beforehand and no index.
#include <algorithm>
#include <string>

#include "base/text.h"
#include "routing/rules/condition.h"
#include "routing/rules/regex.h"
#include "routing/rules/rule_table.h"
#include "routing/rules/text_matcher.h"
#include "routing/rules/time_window.h"

namespace albatross {
namespace {

using Kind = config::Condition::Kind;

bool regex_matches(const config::Pattern& pattern, bool ignore_case, std::string_view text) {
  const RE2 regex(pattern.text, regex_options(ignore_case, RegexBudget().pattern));
  return regex.ok() && RE2::PartialMatch(piece(text), regex);
}

bool value_matches(const config::Pattern& pattern, std::string_view text) {
  switch (pattern.kind) {
    case config::Pattern::Kind::kExact: return text == pattern.text;
    case config::Pattern::Kind::kPrefix: return text.starts_with(pattern.text);
    case config::Pattern::Kind::kWildcard: return wildcard_matches(pattern.text, text);
    case config::Pattern::Kind::kRegex: return regex_matches(pattern, pattern.ignore_case, text);
    case config::Pattern::Kind::kRange: return is_in_range(pattern.least, pattern.most, text);
  }
  return false;
}

bool host_matches(const config::Pattern& pattern, std::string_view host) {
  if (pattern.kind == config::Pattern::Kind::kRegex) return regex_matches(pattern, true, bare_host(host));
  config::Pattern folded = pattern;
  const bool whole = pattern.kind == config::Pattern::Kind::kExact;
  folded.text = ascii_lower(whole ? bare_host(pattern.text) : std::string_view(pattern.text));
  return value_matches(folded, ascii_lower(bare_host(host)));
}

bool path_matches(const config::Pattern& pattern, std::string_view path) {
  if (pattern.kind == config::Pattern::Kind::kPrefix) return is_segment_prefix(pattern.text, path);
  return value_matches(pattern, path);
}

template <class Test>
bool any_pattern(const config::Condition& condition, Test&& test) {
  return std::any_of(condition.patterns.begin(), condition.patterns.end(), test);
}

bool any_value(const config::Condition& condition, std::string_view text) {
  return any_pattern(condition, [text](const config::Pattern& p) { return value_matches(p, text); });
}

bool any_decoded(const config::Condition& condition, std::string_view raw) {
  std::string text(raw.size(), '\0');
  text.resize(decode_query_text(raw, text.data()));
  return any_value(condition, text);
}

bool source_matches(const config::Condition& condition, const IpAddress& source) {
  return std::any_of(condition.networks.begin(), condition.networks.end(), [&](const config::Value<std::string>& text) {
    const auto network = Network::parse(*text);
    return network && network->contains(source);
  });
}

}  // namespace

bool matches(const config::Condition& condition, const RouteQuery& query) {
  const auto value = [&](std::string_view text) { return any_value(condition, text); };
  switch (condition.kind) {
    case Kind::kHost:
      return any_pattern(condition, [&](const config::Pattern& p) { return host_matches(p, query.host); });
    case Kind::kPath:
      return any_pattern(condition, [&](const config::Pattern& p) { return path_matches(p, query.path); });
    case Kind::kHeader:
      return query.fields != nullptr && any_field(*query.fields, header_id(condition.name), condition.name, value);
    case Kind::kItems:
      return query.fields != nullptr && any_field(*query.fields, header_id(condition.name), condition.name,
                                                  [&value](std::string_view line) { return any_item(line, value); });
    case Kind::kCookie: return query.fields != nullptr && any_cookie(*query.fields, condition.name, value);
    case Kind::kQuery:
      return any_parameter(query.query, condition.name,
                           [&](std::string_view raw) { return any_decoded(condition, raw); });
    case Kind::kMethod: return value(query.method);
    case Kind::kSourceIp: return source_matches(condition, query.source);
    case Kind::kTime: return is_open(condition.time, static_cast<std::int64_t>(query.wall / kSecond));
    case Kind::kSni:
      return !query.sni.empty() &&
             any_pattern(condition, [&](const config::Pattern& p) { return host_matches(p, query.sni); });
    case Kind::kAlpn: return value(query.alpn);
    case Kind::kNot: return condition.inner.empty() || !matches(condition.inner.front(), query);
    case Kind::kAll:
      return std::all_of(condition.inner.begin(), condition.inner.end(),
                         [&query](const config::Condition& c) { return matches(c, query); });
    case Kind::kAny:
      return std::any_of(condition.inner.begin(), condition.inner.end(),
                         [&query](const config::Condition& c) { return matches(c, query); });
  }
  return false;
}

}  // namespace albatross
