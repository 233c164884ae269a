// Maps a host to buckets of rules: literal hosts by a hash, "*.example.com" by a trie of labels from the right.
//
// Hosts are in lower case, without port and trailing dot. Built on one thread, then const and shared; owns its text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "routing/rules/segment_map.h"

namespace albatross {

class HostTrie {
 public:
  static constexpr std::uint32_t kNone = SegmentMap::kNone;

  HostTrie() : suffix_buckets_(1, kNone) {}

  // The bucket of that host, or of all hosts that end in `suffix`, which begins with a dot. If there was none, it
  // becomes `fresh`.
  std::uint32_t add_exact(std::string_view host, std::uint32_t fresh) { return exact_.insert(0, host, fresh); }
  std::uint32_t add_suffix(std::string_view suffix, std::uint32_t fresh);

  // Calls visit(bucket) for each bucket of the host.
  template <class Visit>
  void walk(std::string_view host, Visit&& visit) const {
    const std::uint32_t exact = exact_.find(0, host);
    if (exact != kNone) visit(exact);
    if (!has_suffixes_) return;
    std::uint32_t node = 0;
    for (std::size_t dot = host.rfind('.'); dot != std::string_view::npos; dot = host.rfind('.')) {
      node = labels_.find(node, host.substr(dot + 1));
      if (node == kNone) return;
      if (suffix_buckets_[node] != kNone) visit(suffix_buckets_[node]);
      host = host.substr(0, dot);
    }
  }

 private:
  SegmentMap exact_;
  SegmentMap labels_;
  std::vector<std::uint32_t> suffix_buckets_;  // by node; 0 is the root
  bool has_suffixes_ = false;
};

}  // namespace albatross
