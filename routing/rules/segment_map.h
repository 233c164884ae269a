// The edges of a trie in one hash table: from a node and a segment to the child node.
//
// The keys come from the configuration and are copied into the map. Text from clients is only looked up, never
// inserted, so the hash needs no secret. Built on one thread, then const and shared.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/arena.h"

namespace albatross {

inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Reads eight bytes at a time; boost's hash reads one.
inline std::uint64_t hash_bytes(std::string_view text, std::uint64_t seed) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
  const char* p = text.data();
  std::size_t n = text.size();
  std::uint64_t hash = seed * kOdd ^ n;
  for (; n > 8; p += 8, n -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    hash = fold_multiply(hash ^ word, kOdd);
  }
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (n >= 4) {
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + n - 4, 4);
  } else if (n > 0) {
    low = static_cast<unsigned char>(p[0]) | static_cast<unsigned>(static_cast<unsigned char>(p[n / 2])) << 8U;
    high = static_cast<unsigned char>(p[n - 1]);
  }
  return fold_multiply(hash ^ (low | high << 32U), 0xD6E8FEB86659FD93U);
}

class SegmentMap {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // The child, or kNone.
  std::uint32_t find(std::uint32_t node, std::string_view segment) const {
    const auto at = children_.find(Key{segment, node});
    return at == children_.end() ? kNone : at->second;
  }

  // Returns the child if there is one; else adds `child` and returns it.
  std::uint32_t insert(std::uint32_t node, std::string_view segment, std::uint32_t child) {
    const std::uint32_t known = find(node, segment);
    if (known != kNone) return known;
    children_.emplace(Key{text_.copy(segment), node}, child);
    return child;
  }

 private:
  struct Key {
    std::string_view segment;
    std::uint32_t node = 0;
    friend bool operator==(const Key& a, const Key& b) { return a.node == b.node && a.segment == b.segment; }
  };
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(const Key& key) const { return hash_bytes(key.segment, key.node + 1U); }
  };

  Arena text_;
  boost::unordered_flat_map<Key, std::uint32_t, Hash> children_;
};

}  // namespace albatross
