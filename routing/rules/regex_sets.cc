#include "routing/rules/regex_sets.h"

#include <algorithm>

namespace albatross {
namespace {

// The regex as it was before it was split. A set has one case option for all patterns, so each pattern sets its own.
std::string whole(const Programs& programs, std::uint32_t number) {
  const TextMatcher& value = programs.values[number];
  const RegexTexts::Text& text = programs.regexes[value.regex];
  if (text.ignore_case) return "(?i)" + text.source;
  return value.text.empty() ? text.source : "^" + RE2::QuoteMeta(piece(value.text)) + text.source;
}

}  // namespace

Range RegexForest::add(std::vector<ValueEntry> entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const ValueEntry& a, const ValueEntry& b) { return a.entry.rule < b.entry.rule; });
  const auto begin = static_cast<std::uint32_t>(entries_.size());
  entries_.insert(entries_.end(), entries.begin(), entries.end());
  return split({begin, static_cast<std::uint32_t>(entries_.size())}, kTree);
}

// One node for every `width` entries, siblings side by side, then their children.
Range RegexForest::split(Range entries, std::uint32_t width) {
  const auto begin = static_cast<std::uint32_t>(nodes_.size());
  for (std::uint32_t at = entries.begin; at < entries.end; at += width) {
    nodes_.push_back({{at, std::min(at + width, entries.end)}, {}});
  }
  const auto end = static_cast<std::uint32_t>(nodes_.size());
  for (std::uint32_t i = begin; i < end; ++i) {
    const Range own = nodes_[i].entries;
    if (own.end - own.begin > kLeaf) nodes_[i].children = split(own, width / kLeaf);
  }
  return {begin, end};
}

RegexSets::RegexSets(const RegexForest& forest, const Programs& programs, const RegexBudget& budget)
    : forest_(forest), programs_(programs), sets_(forest.nodes().size()) {
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const Range entries = forest.nodes()[i].entries;
    if (entries.end - entries.begin == 1) continue;
    auto set = std::make_unique<RE2::Set>(regex_options(false, budget.set), RE2::UNANCHORED);
    bool complete = true;
    for (std::uint32_t e = entries.begin; e < entries.end; ++e) {
      complete = complete && set->Add(whole(programs, forest.entries()[e].value), nullptr) >= 0;
    }
    if (complete && set->Compile()) sets_[i] = std::move(set);
  }
}

RegexSets::Answer RegexSets::ask(std::uint32_t node, std::string_view text) const {
  if (sets_[node] == nullptr) return Answer::kOutOfMemory;
  RE2::Set::ErrorInfo error{RE2::Set::kNoError};
  if (sets_[node]->Match(piece(text), nullptr, &error)) return Answer::kYes;
  return error.kind == RE2::Set::kNoError ? Answer::kNo : Answer::kOutOfMemory;
}

}  // namespace albatross
