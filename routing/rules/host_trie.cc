#include "routing/rules/host_trie.h"

namespace albatross {

std::uint32_t HostTrie::add_suffix(std::string_view suffix, std::uint32_t fresh) {
  has_suffixes_ = true;
  std::uint32_t node = 0;
  for (std::size_t dot = suffix.rfind('.'); dot != std::string_view::npos; dot = suffix.rfind('.')) {
    const auto next = static_cast<std::uint32_t>(suffix_buckets_.size());
    node = labels_.insert(node, suffix.substr(dot + 1), next);
    if (node == next) suffix_buckets_.push_back(kNone);
    suffix = suffix.substr(0, dot);
  }
  if (suffix_buckets_[node] == kNone) suffix_buckets_[node] = fresh;
  return suffix_buckets_[node];
}

}  // namespace albatross
