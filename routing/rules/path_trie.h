// Maps a path to rules: a trie of segments, with lists of rules in their order.
//
// A node stands for whole segments; the rest of the path at a node is empty or begins with "/". A literal that ends
// within a segment ("/v1/us" of `^/v1/us[a-z]+`) is kept at the node of its whole segments, by the length of the rest,
// so that it is looked up by hash, too. Built on one thread by add() and freeze(), then const and shared; owns its
// text.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "routing/rules/segment_map.h"

namespace albatross {

// A rule found by a key of the index, and what of it is still to be checked.
struct RuleEntry {
  static constexpr std::uint32_t kProven = 0xffffffff;
  std::uint32_t rule = 0;
  std::uint32_t host = kProven;  // the number of the value that the host must match; kProven: the key proves it
  std::uint32_t path = kProven;  // the same for the path
  bool has_checks = false;       // the rule has other conditions
};
using RuleList = std::span<const RuleEntry>;

class PathTrie {
 public:
  // The path itself; the path and everything below it; everything below it.
  enum class Reach : std::uint8_t { kExact, kSegments, kBelow };

  std::uint32_t add_root();
  // `path` begins with "/", or is empty for kSegments and kBelow.
  void add(std::uint32_t root, std::string_view path, Reach reach, const RuleEntry& entry);
  // Adds an entry for all paths that begin with `prefix`, which begins with "/". If only a shorter prefix can be kept,
  // the entry is marked so that `value` is matched, too.
  void add_prefix(std::uint32_t root, std::string_view prefix, RuleEntry entry, std::uint32_t value);
  // Sorts the lists. Nothing is added afterwards.
  void freeze();

  // Calls visit(list) for each list of the path that is not empty.
  template <class Visit>
  void walk(std::uint32_t root, std::string_view path, Visit&& visit) const;

 private:
  static constexpr std::size_t kMostLengths = 8;  // of literals that end inside a segment, at one node
  static constexpr std::uint32_t kPartial = 0x80000000;

  struct Draft {
    std::vector<RuleEntry> lists[3];
    std::vector<std::uint16_t> lengths;
    bool has_children = false;
  };
  // The three lists follow one another in entries_.
  struct Node {
    std::uint32_t first = 0;
    std::uint32_t ends[3] = {};
    std::uint32_t first_length = 0;
    std::uint16_t length_count = 0;
    bool has_children = false;
  };

  std::uint32_t child(std::uint32_t node, std::uint32_t kind, std::string_view segment);
  std::uint32_t descend(std::uint32_t root, std::string_view path);
  std::size_t length_for(Draft& node, std::size_t wanted);

  template <class Visit>
  void visit_list(const Node& node, Reach reach, Visit& visit) const {
    const auto i = static_cast<std::size_t>(reach);
    const std::uint32_t begin = i == 0 ? node.first : node.ends[i - 1];
    if (begin != node.ends[i]) visit(RuleList(entries_.data() + begin, node.ends[i] - begin));
  }
  template <class Visit>
  void visit_partial(std::uint32_t at, std::string_view rest, Visit& visit) const;

  std::vector<Draft> drafts_;
  std::vector<Node> nodes_;
  std::vector<RuleEntry> entries_;
  std::vector<std::uint16_t> lengths_;
  SegmentMap segments_;
};

template <class Visit>
void PathTrie::walk(std::uint32_t root, std::string_view path, Visit&& visit) const {
  for (std::uint32_t at = root;;) {
    const Node& node = nodes_[at];
    if (path.empty()) visit_list(node, Reach::kExact, visit);
    visit_list(node, Reach::kSegments, visit);
    if (path.empty()) return;
    visit_list(node, Reach::kBelow, visit);
    const std::string_view rest = path.substr(1);
    if (node.length_count != 0) visit_partial(at, rest, visit);
    if (!node.has_children) return;
    const std::size_t end = rest.find('/');
    at = segments_.find(at, rest.substr(0, end));
    if (at == SegmentMap::kNone) return;
    path = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  }
}

template <class Visit>
void PathTrie::visit_partial(std::uint32_t at, std::string_view rest, Visit& visit) const {
  const Node& node = nodes_[at];
  for (std::uint32_t i = 0; i < node.length_count; ++i) {
    const std::uint16_t length = lengths_[node.first_length + i];
    if (length > rest.size()) return;
    const std::uint32_t partial = segments_.find(at | kPartial, rest.substr(0, length));
    if (partial != SegmentMap::kNone) visit_list(nodes_[partial], Reach::kSegments, visit);
  }
}

}  // namespace albatross
