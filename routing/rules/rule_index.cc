#include "routing/rules/rule_index.h"

#include <algorithm>

namespace albatross {
namespace {

using Shape = TextMatcher::Shape;

constexpr std::size_t kFewPaths = 4;
constexpr std::size_t kMostAnchored = 16;  // regexes after one literal that are tried one by one

// The text that every match of a wildcard begins with: its characters up to the first `*` or `?`.
std::string wildcard_prefix(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size() && pattern[i] != '*' && pattern[i] != '?'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    out += pattern[i];
  }
  return out;
}

}  // namespace

RuleIndex::RuleIndex(const Programs& programs) : programs_(programs), buckets_(1), drafts_(1) {}

void RuleIndex::add(std::uint32_t rule, const IndexKeys& keys) {
  const RuleProgram& program = programs_.rules[rule];
  const std::uint32_t host_count = keys.has_host ? keys.host.end - keys.host.begin : 1;
  const std::uint32_t path_count = keys.has_path ? keys.path.end - keys.path.begin : 1;
  for (std::uint32_t h = 0; h < host_count; ++h) {
    RuleEntry entry{.rule = rule, .has_checks = program.checks.begin != program.checks.end};
    Draft& draft = drafts_[keys.has_host ? bucket_of(keys.host.begin + h, entry) : kAnyHost];
    if (!keys.has_path) add_any_path(draft, entry);
    for (std::uint32_t p = 0; keys.has_path && p < path_count; ++p) add_path(draft, {entry, keys.path.begin + p});
  }
}

std::uint32_t RuleIndex::bucket_of(std::uint32_t host_value, RuleEntry& entry) {
  const TextMatcher& value = programs_.values[host_value];
  const auto fresh = static_cast<std::uint32_t>(buckets_.size());
  std::uint32_t bucket = kAnyHost;
  if (value.shape == Shape::kExact) {
    bucket = hosts_.add_exact(value.text, fresh);
  } else if (value.shape == Shape::kSuffix && value.text.starts_with('.')) {
    bucket = hosts_.add_suffix(value.text, fresh);
  } else if (value.shape != Shape::kAny) {
    entry.host = host_value;
  }
  if (bucket == fresh) {
    buckets_.emplace_back();
    drafts_.emplace_back();
  }
  return bucket;
}

void RuleIndex::add_path(Draft& draft, const ValueEntry& path) {
  const TextMatcher& value = path_of(path);
  if (value.shape == Shape::kAny) return add_any_path(draft, path.entry);
  // If a rule has "/" and a host regex, the regex is the better key.
  const bool is_root = value.shape == Shape::kSegmentPrefix && value.text == "/";
  const bool is_literal = value.shape != Shape::kSuffix && value.shape != Shape::kContains &&
                          value.text.starts_with('/') && !(is_root && is_host_regex(path.entry.host));
  if (value.shape == Shape::kRegex) {
    (is_literal ? draft.anchored : draft.regexes).push_back(path);
  } else if (is_literal) {
    draft.literals.push_back(path);
  } else {
    RuleEntry entry = path.entry;
    entry.path = path.value;
    add_any_path(draft, entry);
  }
}

void RuleIndex::add_any_path(Draft& draft, const RuleEntry& entry) {
  if (!is_host_regex(entry.host)) {
    draft.any_path.push_back(entry);
    return;
  }
  ValueEntry candidate{entry, entry.host};
  candidate.entry.host = RuleEntry::kProven;
  host_regex_drafts_.push_back(candidate);
}

bool RuleIndex::is_host_regex(std::uint32_t host_value) const {
  return host_value != RuleEntry::kProven && programs_.values[host_value].shape == Shape::kRegex;
}

void RuleIndex::place_literal(std::uint32_t root, const ValueEntry& path) {
  const TextMatcher& value = path_of(path);
  RuleEntry entry = path.entry;
  if (value.shape == Shape::kExact) {
    paths_.add(root, value.text, PathTrie::Reach::kExact, entry);
  } else if (value.shape == Shape::kSegmentPrefix && !value.text.ends_with('/')) {
    paths_.add(root, value.text, PathTrie::Reach::kSegments, entry);
  } else if (value.shape == Shape::kWildcard) {
    entry.path = path.value;
    paths_.add_prefix(root, wildcard_prefix(value.text), entry, path.value);
  } else {
    paths_.add_prefix(root, value.text, entry, path.value);
  }
}

// A few regexes after one literal are entries of the trie, many become a set.
void RuleIndex::place_anchored(std::uint32_t root, Draft& draft) {
  std::stable_sort(draft.anchored.begin(), draft.anchored.end(),
                   [this](const ValueEntry& a, const ValueEntry& b) { return path_of(a).text < path_of(b).text; });
  for (auto at = draft.anchored.begin(); at != draft.anchored.end();) {
    const std::string& literal = path_of(*at).text;
    const auto end =
        std::find_if(at, draft.anchored.end(), [&](const ValueEntry& other) { return path_of(other).text != literal; });
    const bool many = static_cast<std::size_t>(end - at) > kMostAnchored;
    for (; at != end; ++at) {
      at->entry.path = many ? RuleEntry::kProven : at->value;
      if (many) {
        draft.regexes.push_back(*at);
      } else {
        paths_.add_prefix(root, literal, at->entry, at->value);
      }
    }
  }
}

void RuleIndex::freeze_bucket(Bucket& bucket, Draft& draft) {
  if (draft.literals.size() + draft.anchored.size() <= kFewPaths) {
    draft.literals.insert(draft.literals.end(), draft.anchored.begin(), draft.anchored.end());
    for (ValueEntry& path : draft.literals) {
      path.entry.path = path.value;
      draft.any_path.push_back(path.entry);
    }
  } else {
    bucket.root = paths_.add_root();
    for (const ValueEntry& path : draft.literals) place_literal(bucket.root, path);
    place_anchored(bucket.root, draft);
  }
  std::stable_sort(draft.any_path.begin(), draft.any_path.end(),
                   [](const RuleEntry& a, const RuleEntry& b) { return a.rule < b.rule; });
  bucket.any_path.begin = static_cast<std::uint32_t>(any_path_.size());
  any_path_.insert(any_path_.end(), draft.any_path.begin(), draft.any_path.end());
  bucket.any_path.end = static_cast<std::uint32_t>(any_path_.size());
  bucket.regexes = forest_.add(std::move(draft.regexes));
}

void RuleIndex::freeze() {
  for (std::size_t i = 0; i < buckets_.size(); ++i) freeze_bucket(buckets_[i], drafts_[i]);
  paths_.freeze();
  host_regexes_ = forest_.add(std::move(host_regex_drafts_));
  drafts_.clear();
  host_regex_drafts_.clear();
}

}  // namespace albatross
