// The regexes that do not begin with a literal: trees of RE2::Sets over ranges of rules, searched for the first match.
//
// A set is only asked whether any of its regexes matches, since RE2 allocates a new list of matches every time. If one
// matches or the set runs out of memory, the children of the node are asked, and in the end single regexes. A
// RegexForest is built once, then const and shared; a RegexSets belongs to one worker.
#pragma once

#include <re2/set.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "routing/rules/path_trie.h"
#include "routing/rules/regex.h"
#include "routing/rules/rule_program.h"

namespace albatross {

// A rule that is a candidate if a value matches; the checks of the entry must still be made.
struct ValueEntry {
  RuleEntry entry;
  std::uint32_t value = 0;  // of Programs::values, a regex
};

class RegexForest {
 public:
  struct Node {
    Range entries;
    Range children;  // empty in a leaf, which has up to kLeaf entries
  };

  // Adds trees for the entries, which are in the order of their rules, and returns their roots in that order.
  Range add(std::vector<ValueEntry> entries);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<ValueEntry>& entries() const { return entries_; }

 private:
  static constexpr std::uint32_t kTree = 512;
  static constexpr std::uint32_t kLeaf = 8;

  Range split(Range entries, std::uint32_t width);

  std::vector<Node> nodes_;
  std::vector<ValueEntry> entries_;
};

class RegexSets {
 public:
  RegexSets(const RegexForest& forest, const Programs& programs, const RegexBudget& budget);

  // Goes through the rules of the trees in their order. Calls visitor.may_win(rule), which tells whether the rule is
  // still of interest, and ends if it is not. Calls visitor.take(entry) if the rule's regex matches, and ends if that
  // returns true.
  template <class Visitor>
  void search(Range roots, std::string_view text, const RegexBank& bank, Visitor& visitor) {
    for (std::uint32_t root = roots.begin; root < roots.end; ++root) {
      if (search_node(root, text, bank, visitor)) return;
    }
  }

  // How often a set ran out of memory.
  std::uint64_t fallbacks() const { return fallbacks_; }

 private:
  enum class Answer { kNo, kYes, kOutOfMemory };

  Answer ask(std::uint32_t node, std::string_view text) const;

  template <class Visitor>
  bool search_node(std::uint32_t at, std::string_view text, const RegexBank& bank, Visitor& visitor) {
    const RegexForest::Node& node = forest_.nodes()[at];
    if (!visitor.may_win(forest_.entries()[node.entries.begin].entry.rule)) return true;
    if (node.entries.end - node.entries.begin == 1) return one_by_one(node, text, bank, visitor);
    const Answer answer = ask(at, text);
    if (answer == Answer::kNo) return false;
    if (answer == Answer::kOutOfMemory) ++fallbacks_;
    if (node.children.begin == node.children.end) return one_by_one(node, text, bank, visitor);
    for (std::uint32_t child = node.children.begin; child < node.children.end; ++child) {
      if (search_node(child, text, bank, visitor)) return true;
    }
    return false;
  }

  template <class Visitor>
  bool one_by_one(const RegexForest::Node& node, std::string_view text, const RegexBank& bank, Visitor& visitor) {
    for (std::uint32_t i = node.entries.begin; i < node.entries.end; ++i) {
      const ValueEntry& candidate = forest_.entries()[i];
      if (!visitor.may_win(candidate.entry.rule)) return true;
      if (bank.matches(programs_.values[candidate.value], text) && visitor.take(candidate.entry)) return true;
    }
    return false;
  }

  const RegexForest& forest_;
  const Programs& programs_;
  std::vector<std::unique_ptr<RE2::Set>> sets_;  // by node; null where one regex needs no set, or memory ran out
  std::uint64_t fallbacks_ = 0;
};

}  // namespace albatross
