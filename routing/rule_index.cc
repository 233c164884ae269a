#include "routing/rule_index.h"

#include <algorithm>
#include <tuple>

namespace albatross {
namespace {

using Shape = TextMatcher::Shape;

constexpr std::size_t kMostAnchored = 16;  // regexes behind one literal that are tried one by one

// What every match of a wildcard begins with: its characters up to the first `*` or `?`.
std::string wildcard_prefix(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size() && pattern[i] != '*' && pattern[i] != '?'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    out += pattern[i];
  }
  return out;
}

}  // namespace

RuleIndex::RuleIndex(const Programs& programs) : programs_(programs) {
  buckets_.push_back({paths_.add_root(), {}, {}});
  drafts_.emplace_back();
}

void RuleIndex::add(std::uint32_t rule, const IndexKeys& keys) {
  const RuleProgram& program = programs_.rules[rule];
  const std::uint32_t host_count = keys.has_host ? keys.host.end - keys.host.begin : 1;
  const std::uint32_t path_count = keys.has_path ? keys.path.end - keys.path.begin : 1;
  for (std::uint32_t h = 0; h < host_count; ++h) {
    for (std::uint32_t p = 0; p < path_count; ++p) {
      RuleEntry entry{.rule = rule, .has_checks = program.checks.begin != program.checks.end};
      const std::uint32_t bucket = keys.has_host ? bucket_of(keys.host.begin + h, entry) : kAnyHost;
      if (keys.has_path) {
        add_path(bucket, keys.path.begin + p, entry);
      } else {
        add_any_path(bucket, entry);
      }
    }
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
    buckets_.push_back({paths_.add_root(), {}, {}});
    drafts_.emplace_back();
  }
  return bucket;
}

void RuleIndex::add_path(std::uint32_t bucket, std::uint32_t path_value, RuleEntry entry) {
  const TextMatcher& value = programs_.values[path_value];
  const std::uint32_t root = buckets_[bucket].root;
  const std::string_view text = value.text;
  if (value.shape == Shape::kAny) return add_any_path(bucket, entry);
  if (is_host_regex(entry.host) && value.shape == Shape::kSegmentPrefix && text == "/") {
    entry.path = path_value;  // "/" tells nothing apart; the host's set does
    return add_any_path(bucket, entry);
  }
  if (value.shape == Shape::kRegex) return add_regex(bucket, path_value, entry);
  if (value.shape == Shape::kWildcard) {
    entry.path = path_value;
    const std::string prefix = wildcard_prefix(text);
    return prefix.starts_with('/') ? paths_.add_prefix(root, prefix, entry, path_value) : add_any_path(bucket, entry);
  }
  if (!text.starts_with('/')) {
    entry.path = path_value;
    return add_any_path(bucket, entry);
  }
  switch (value.shape) {
    case Shape::kExact: return paths_.add(root, text, PathTrie::Reach::kExact, entry);
    case Shape::kPrefix: return paths_.add_prefix(root, text, entry, path_value);
    case Shape::kSegmentPrefix:
      if (text.ends_with('/')) return paths_.add_prefix(root, text, entry, path_value);
      return paths_.add(root, text, PathTrie::Reach::kSegments, entry);
    default: entry.path = path_value; return add_any_path(bucket, entry);  // kSuffix, kContains: "*/x" after escapes
  }
}

void RuleIndex::add_regex(std::uint32_t bucket, std::uint32_t path_value, const RuleEntry& entry) {
  const std::uint32_t regex = programs_.values[path_value].regex;
  const RegexTexts::Text& text = programs_.regexes[regex];
  std::string literal = text.ignore_case ? std::string() : literal_prefix(text.source);
  if (literal.starts_with('/')) {
    anchored_.push_back({bucket, std::move(literal), {entry, regex}, path_value});
  } else {
    drafts_[bucket].regexes.push_back({entry, regex});
  }
}

void RuleIndex::add_any_path(std::uint32_t bucket, const RuleEntry& entry) {
  if (!is_host_regex(entry.host)) {
    drafts_[bucket].any_path.push_back(entry);
    return;
  }
  RegexEntry candidate{entry, programs_.values[entry.host].regex};
  candidate.entry.host = RuleEntry::kProven;
  host_drafts_.push_back(candidate);
}

bool RuleIndex::is_host_regex(std::uint32_t host_value) const {
  return host_value != RuleEntry::kProven && programs_.values[host_value].shape == Shape::kRegex;
}

void RuleIndex::place_anchored() {
  std::stable_sort(anchored_.begin(), anchored_.end(), [](const AnchoredRegex& a, const AnchoredRegex& b) {
    return std::tie(a.bucket, a.literal) < std::tie(b.bucket, b.literal);
  });
  for (auto at = anchored_.begin(); at != anchored_.end();) {
    const auto end = std::find_if(at, anchored_.end(), [at](const AnchoredRegex& other) {
      return other.bucket != at->bucket || other.literal != at->literal;
    });
    const bool many = static_cast<std::size_t>(end - at) > kMostAnchored;
    for (; at != end; ++at) {
      if (many) {
        drafts_[at->bucket].regexes.push_back(at->candidate);
      } else {
        RuleEntry entry = at->candidate.entry;
        entry.path = at->value;
        paths_.add_prefix(buckets_[at->bucket].root, at->literal, entry, at->value);
      }
    }
  }
}

void RuleIndex::freeze() {
  place_anchored();
  paths_.freeze();
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    Bucket& bucket = buckets_[i];
    bucket.any_path.begin = static_cast<std::uint32_t>(any_path_.size());
    any_path_.insert(any_path_.end(), drafts_[i].any_path.begin(), drafts_[i].any_path.end());
    bucket.any_path.end = static_cast<std::uint32_t>(any_path_.size());
    bucket.regexes = forest_.add(std::move(drafts_[i].regexes));
  }
  host_regexes_ = forest_.add(std::move(host_drafts_));
  drafts_.clear();
  anchored_.clear();
  host_drafts_.clear();
}

}  // namespace albatross
