#include "routing/rules/rule_matcher.h"

#include <algorithm>

#include "routing/rules/condition.h"

namespace albatross {

RuleMatcher::RuleMatcher(std::shared_ptr<const CompiledRules> rules)
    : rules_(std::move(rules)),
      programs_(rules_->programs),
      index_(rules_->index),
      regexes_(programs_.regexes, rules_->budget),
      sets_(index_.forest(), programs_, rules_->budget),
      slots_(programs_.names.size()) {
  host_.reserve(256);
  lists_.reserve(64);
  buckets_.reserve(64);
  looks_at_query_ = std::any_of(programs_.names.begin(), programs_.names.end(),
                                [](const NamedSubject& name) { return name.kind == config::Condition::Kind::kQuery; });
}

RouteMatch RuleMatcher::match(const RouteQuery& query) {
  begin(query);
  index_.hosts().walk(host_, [this](std::uint32_t bucket) { collect(bucket); });
  collect(RuleIndex::kAnyHost);
  search_lists();
  search_regexes();
  RouteMatch out;
  out.rule = best_;
  if (!programs_.captures.empty() && best_ < programs_.rules.size()) capture(out);
  return out;
}

void RuleMatcher::begin(const RouteQuery& query) {
  query_ = &query;
  best_ = static_cast<std::uint32_t>(programs_.rules.size());
  ++generation_;
  lists_.clear();
  buckets_.clear();
  host_.assign(bare_host(query.host));
  for (char& c : host_) c = ascii_lower(c);
  if (!looks_at_query_) return;
  decoded_size_ = 0;
  if (decoded_.size() < query.query.size()) {
    decoded_.resize(query.query.size());
    repeated_.resize(query.query.size());
  }
}

void RuleMatcher::collect(std::uint32_t number) {
  const RuleIndex::Bucket& bucket = index_.bucket(number);
  const RuleList any_path = index_.any_path(bucket);
  if (!any_path.empty()) lists_.push_back(any_path);
  if (bucket.regexes.begin != bucket.regexes.end) buckets_.push_back(number);
  if (bucket.root == RuleIndex::kNoRoot || !query_->path.starts_with('/')) return;
  index_.paths().walk(bucket.root, query_->path, [this](RuleList list) { lists_.push_back(list); });
}

// Merges the lists: candidates come in the order of their rules, so the first one that is accepted wins.
void RuleMatcher::search_lists() {
  while (!lists_.empty()) {
    std::size_t least = 0;
    std::uint32_t next = best_;  // the lowest rule of the other lists
    for (std::size_t i = 1; i < lists_.size(); ++i) {
      const std::uint32_t head = lists_[i].front().rule;
      const std::uint32_t least_head = lists_[least].front().rule;
      next = std::min(next, std::max(head, least_head));
      if (head < least_head) least = i;
    }
    if (search_list(lists_[least], next)) return;
    if (lists_[least].empty()) {
      lists_[least] = lists_.back();
      lists_.pop_back();
    }
  }
}

// Tries the candidates up to rule `last`. True ends the search.
bool RuleMatcher::search_list(RuleList& list, std::uint32_t last) {
  for (; !list.empty() && list.front().rule <= last; list = list.subspan(1)) {
    if (take(list.front())) return true;
  }
  return false;
}

bool RuleMatcher::take(const RuleEntry& entry) {
  if (!accepts(entry)) return false;
  best_ = entry.rule;
  return true;
}

void RuleMatcher::search_regexes() {
  for (const std::uint32_t bucket : buckets_) {
    sets_.search(index_.bucket(bucket).regexes, query_->path, regexes_, *this);
  }
  sets_.search(index_.host_regexes(), host_, regexes_, *this);
}

bool RuleMatcher::accepts(const RuleEntry& entry) {
  if (entry.host != RuleEntry::kProven && !value_matches(entry.host, host_)) return false;
  if (entry.path != RuleEntry::kProven && !value_matches(entry.path, query_->path)) return false;
  if (!entry.has_checks) return true;
  const Range checks = programs_.rules[entry.rule].checks;
  for (std::uint32_t i = checks.begin; i < checks.end; ++i) {
    if (holds(programs_.checks[i]) == programs_.checks[i].negated) return false;
  }
  return true;
}

// Whether one of the check's values matches, negated or not.
bool RuleMatcher::holds(const Check& check) {
  using Kind = config::Condition::Kind;
  switch (check.kind) {
    case Kind::kHost: return any_value(check.values, host_);
    case Kind::kPath: return any_value(check.values, query_->path);
    case Kind::kMethod: return any_value(check.values, query_->method);
    case Kind::kSourceIp: return source_holds(check.values);
    case Kind::kTime: return time_holds(check.values);
    case Kind::kSni: return sni_holds(check.values);
    case Kind::kAlpn: return any_value(check.values, query_->alpn);
    case Kind::kItems:
    case Kind::kHeader:
    case Kind::kCookie:
    case Kind::kQuery: return named_holds(check);
    case Kind::kAll: return group_is(check, false);
    case Kind::kAny: return group_is(check, true);
    case Kind::kNot: break;
  }
  return false;
}

// Whether the group is decided by the first of its checks that holds (any) or does not (all).
bool RuleMatcher::group_is(const Check& check, bool any) {
  for (std::uint32_t i = check.values.begin; i < check.values.end; ++i) {
    const Check& inner = programs_.inner[i];
    if ((holds(inner) != inner.negated) == any) return any;
  }
  return !any;
}

bool RuleMatcher::source_holds(Range networks) const {
  for (std::uint32_t i = networks.begin; i < networks.end; ++i) {
    if (programs_.networks[i].contains(query_->source)) return true;
  }
  return false;
}

bool RuleMatcher::time_holds(Range schedules) const {
  const auto seconds = static_cast<std::int64_t>(query_->wall / kSecond);
  for (std::uint32_t i = schedules.begin; i < schedules.end; ++i) {
    if (programs_.schedules[i].is_open(seconds)) return true;
  }
  return false;
}

bool RuleMatcher::sni_holds(Range values) {
  if (query_->sni.empty()) return false;
  sni_.assign(bare_host(query_->sni));
  for (char& c : sni_) c = ascii_lower(c);
  return any_value(values, sni_);
}

bool RuleMatcher::value_matches(std::uint32_t value, std::string_view subject) const {
  return regexes_.matches(programs_.values[value], subject);
}

bool RuleMatcher::any_value(Range values, std::string_view subject) const {
  for (std::uint32_t i = values.begin; i < values.end; ++i) {
    if (value_matches(i, subject)) return true;
  }
  return false;
}

bool RuleMatcher::named_holds(const Check& check) {
  const Slot& slot = look_up(check.name);
  if (!slot.found) return false;
  if (named_value(check, slot.first)) return true;
  if (!slot.more) return false;
  const NamedSubject& subject = programs_.names[check.name];
  return any_named(subject, [&](std::string_view raw) {
    if (subject.kind == config::Condition::Kind::kQuery && is_query_encoded(raw)) {
      raw = std::string_view(repeated_.data(), decode_query_text(raw, repeated_.data()));
    }
    return named_value(check, raw);
  });
}

bool RuleMatcher::named_value(const Check& check, std::string_view text) const {
  if (check.kind != config::Condition::Kind::kItems) return any_value(check.values, text);
  return any_item(text, [&](std::string_view item) { return any_value(check.values, item); });
}

template <class Visit>
bool RuleMatcher::any_named(const NamedSubject& subject, Visit&& visit) const {
  if (subject.kind == config::Condition::Kind::kQuery) return any_parameter(query_->query, subject.name, visit);
  if (query_->fields == nullptr) return false;
  if (subject.kind == config::Condition::Kind::kCookie) return any_cookie(*query_->fields, subject.name, visit);
  return any_field(*query_->fields, subject.id, subject.name, visit);
}

const RuleMatcher::Slot& RuleMatcher::look_up(std::uint32_t name) {
  Slot& slot = slots_[name];
  if (slot.generation == generation_) return slot;
  slot = Slot{.generation = generation_};
  const NamedSubject& subject = programs_.names[name];
  any_named(subject, [&slot](std::string_view value) {
    if (slot.found) return slot.more = true;
    slot.found = true;
    slot.first = value;
    return false;
  });
  if (subject.kind == config::Condition::Kind::kQuery && is_query_encoded(slot.first)) {
    // A parameter has one name, so all first values together fit into the query's size.
    char* out = decoded_.data() + decoded_size_;
    const std::size_t size = decode_query_text(slot.first, out);
    decoded_size_ += size;
    slot.first = std::string_view(out, size);
  }
  return slot;
}

void RuleMatcher::capture(RouteMatch& match) const {
  const Range captures = programs_.rules[match.rule].captures;
  for (std::uint32_t i = captures.begin; i < captures.end; ++i) {
    const TextMatcher& value = programs_.values[programs_.captures[i]];
    if (value.shape != TextMatcher::Shape::kRegex) {  // the regex was compiled to a literal
      if (value.matches(query_->path)) return;
      continue;
    }
    const int groups = std::min(regexes_.groups(value), Captures::kMax);
    re2::StringPiece found[Captures::kMax + 1];
    if (!regexes_.search(value, query_->path, found, groups + 1)) continue;
    for (int g = 0; g < groups; ++g) {
      const re2::StringPiece& group = found[g + 1];
      if (group.data() != nullptr) match.captures.group[g] = {group.data(), group.size()};
    }
    return;
  }
}

}  // namespace albatross
