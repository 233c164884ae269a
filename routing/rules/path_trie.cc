#include "routing/rules/path_trie.h"

#include <algorithm>

namespace albatross {

std::uint32_t PathTrie::add_root() {
  drafts_.emplace_back();
  return static_cast<std::uint32_t>(drafts_.size() - 1);
}

std::uint32_t PathTrie::child(std::uint32_t node, std::uint32_t kind, std::string_view segment) {
  const auto next = static_cast<std::uint32_t>(drafts_.size());
  const std::uint32_t at = segments_.insert(node | kind, segment, next);
  if (at == next) drafts_.emplace_back();
  return at;
}

std::uint32_t PathTrie::descend(std::uint32_t root, std::string_view path) {
  std::uint32_t at = root;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    drafts_[at].has_children = true;
    at = child(at, 0, path.substr(0, end));
    path.remove_prefix(end);
  }
  return at;
}

void PathTrie::add(std::uint32_t root, std::string_view path, Reach reach, const RuleEntry& entry) {
  drafts_[descend(root, path)].lists[static_cast<std::size_t>(reach)].push_back(entry);
}

// How many bytes of a segment's beginning the node can look up; 0: none.
std::size_t PathTrie::length_for(Draft& node, std::size_t wanted) {
  std::size_t longest = 0;
  for (const std::uint16_t length : node.lengths) {
    if (length == wanted) return wanted;
    if (length < wanted && length > longest) longest = length;
  }
  if (node.lengths.size() >= kMostLengths || wanted > 0xffff) return longest;
  node.lengths.push_back(static_cast<std::uint16_t>(wanted));
  return wanted;
}

void PathTrie::add_prefix(std::uint32_t root, std::string_view prefix, RuleEntry entry, std::uint32_t value) {
  const std::size_t slash = prefix.rfind('/');
  const std::string_view rest = prefix.substr(slash + 1);
  const std::uint32_t at = descend(root, prefix.substr(0, slash));
  const std::size_t length = rest.empty() ? 0 : length_for(drafts_[at], rest.size());
  if (length < rest.size()) entry.path = value;
  if (length == 0) {
    drafts_[at].lists[static_cast<std::size_t>(Reach::kBelow)].push_back(entry);
    return;
  }
  const std::uint32_t partial = child(at, kPartial, rest.substr(0, length));
  drafts_[partial].lists[static_cast<std::size_t>(Reach::kSegments)].push_back(entry);
}

void PathTrie::freeze() {
  nodes_.reserve(drafts_.size());
  for (Draft& draft : drafts_) {
    Node node;
    node.first = static_cast<std::uint32_t>(entries_.size());
    for (std::size_t i = 0; i < 3; ++i) {
      std::stable_sort(draft.lists[i].begin(), draft.lists[i].end(),
                       [](const RuleEntry& a, const RuleEntry& b) { return a.rule < b.rule; });
      entries_.insert(entries_.end(), draft.lists[i].begin(), draft.lists[i].end());
      node.ends[i] = static_cast<std::uint32_t>(entries_.size());
    }
    std::sort(draft.lengths.begin(), draft.lengths.end());
    node.first_length = static_cast<std::uint32_t>(lengths_.size());
    node.length_count = static_cast<std::uint16_t>(draft.lengths.size());
    lengths_.insert(lengths_.end(), draft.lengths.begin(), draft.lengths.end());
    node.has_children = draft.has_children;
    nodes_.push_back(node);
  }
  drafts_.clear();
  drafts_.shrink_to_fit();
}

}  // namespace albatross
