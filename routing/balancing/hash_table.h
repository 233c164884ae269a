// Which server a key belongs to: Maglev (Eisenbud et al., NSDI 2016) or ketama, by weight. Few keys move when a server
// comes or goes. Servers are identified by name, so their order in a file does not matter, and every albatross with the
// same servers makes the same choice. Built off the workers' threads, then const and shared by them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace albatross {

// The key of the text that a request is hashed by; the same in every process.
std::uint64_t hash_key(std::string_view text);
// The key that is tried after this one.
std::uint64_t next_key(std::uint64_t key);

class HashTable {
 public:
  using Kind = config::Hash::Algorithm;
  struct Server {
    std::string name;
    std::uint32_t weight = 0;  // 0: it owns no key
  };
  // Never null. Servers after the 65535th own no key.
  static std::shared_ptr<const HashTable> build(Kind kind, const std::vector<Server>& servers);

  // The index of the first server, in the key's own order, that `ok(index)` accepts; -1 if it accepts none.
  template <class Ok>
  int pick(std::uint64_t key, Ok ok) const {
    return kind_ == Kind::kMaglev ? pick_maglev(key, ok) : pick_ketama(key, ok);
  }

 private:
  static constexpr std::size_t kSize = 65537;  // prime
  // For the mean weight: shares are within a percent. Among very many servers each share is small, and fewer points
  // save memory.
  static constexpr std::uint32_t points_per_server(std::uint64_t servers) { return servers <= 256 ? 2048 : 256; }
  static constexpr int kTries = 32;
  struct Point {
    std::uint64_t at;
    std::uint16_t server;
  };

  void build_maglev(const std::vector<Server>& servers);
  void build_ketama(const std::vector<Server>& servers);
  std::size_t first_point(std::uint64_t key) const;

  template <class Ok>
  int pick_maglev(std::uint64_t key, Ok ok) const {
    if (slots_.empty()) return -1;
    for (int i = 0; i < kTries; ++i, key = next_key(key)) {
      int server = slots_[key % kSize];
      if (ok(server)) return server;
    }
    // Nearly all are refused: takes any that is left.
    for (std::size_t i = 0; i < servers_; ++i) {
      int server = static_cast<int>((key + i) % servers_);
      if (ok(server)) return server;
    }
    return -1;
  }
  template <class Ok>
  int pick_ketama(std::uint64_t key, Ok ok) const {
    std::size_t at = first_point(key);
    int last = -1;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      int server = points_[(at + i) % points_.size()].server;
      if (server != last && ok(server)) return server;
      last = server;
    }
    return -1;
  }

  Kind kind_ = Kind::kMaglev;
  std::size_t servers_ = 0;
  std::vector<std::uint16_t> slots_;  // kMaglev
  std::vector<Point> points_;         // kKetama, in order
};

}  // namespace albatross
