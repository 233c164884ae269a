#include "routing/regex_sets.h"

#include <algorithm>

namespace albatross {

Range RegexForest::add(std::vector<RegexEntry> entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const RegexEntry& a, const RegexEntry& b) { return a.entry.rule < b.entry.rule; });
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

RegexSets::RegexSets(const RegexForest& forest, const RegexTexts& texts, const RegexBudget& budget) : forest_(forest) {
  sets_.resize(forest.nodes().size());
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const Range entries = forest.nodes()[i].entries;
    if (entries.end - entries.begin == 1) continue;
    auto set = std::make_unique<RE2::Set>(regex_options(false, budget.set), RE2::UNANCHORED);
    for (std::uint32_t e = entries.begin; e < entries.end; ++e) {
      const RegexTexts::Text& text = texts[forest.entries()[e].regex];
      set->Add(text.ignore_case ? "(?i)" + text.source : text.source, nullptr);
    }
    if (set->Compile()) sets_[i] = std::move(set);
  }
}

RegexSets::Answer RegexSets::ask(std::uint32_t node, std::string_view text) const {
  if (sets_[node] == nullptr) return Answer::kOutOfMemory;
  RE2::Set::ErrorInfo error{RE2::Set::kNoError};
  if (sets_[node]->Match(piece(text), nullptr, &error)) return Answer::kYes;
  return error.kind == RE2::Set::kNoError ? Answer::kNo : Answer::kOutOfMemory;
}

}  // namespace albatross
