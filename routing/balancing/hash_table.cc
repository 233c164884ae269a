#include "routing/balancing/hash_table.h"

#include <algorithm>

#include "base/siphash.h"

namespace albatross {
namespace {

std::uint64_t hash(std::string_view text, std::uint64_t seed) { return siphash({seed, 0x616c626174726f73}, text); }

}  // namespace

std::uint64_t hash_key(std::string_view text) { return hash(text, 0); }

std::uint64_t next_key(std::uint64_t key) {
  key += 0x9e3779b97f4a7c15u;  // splitmix64
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
  return key ^ (key >> 31);
}

std::shared_ptr<const HashTable> HashTable::build(Kind kind, const std::vector<Server>& servers) {
  auto t = std::make_shared<HashTable>();
  t->kind_ = kind;
  t->servers_ = std::min<std::size_t>(servers.size(), 65535);
  kind == Kind::kMaglev ? t->build_maglev(servers) : t->build_ketama(servers);
  return t;
}

// Each server walks the table by its own permutation and takes the next free place whenever it is its turn; the number
// of its turns is proportional to its weight.
void HashTable::build_maglev(const std::vector<Server>& servers) {
  struct Walk {
    std::uint64_t next, skip;
    std::uint32_t weight, index;
    std::uint64_t credit;
  };
  std::vector<Walk> walks;
  std::uint32_t heaviest = 0;
  for (std::size_t i = 0; i < servers_; ++i) {
    const Server& s = servers[i];
    if (s.weight == 0) continue;
    walks.push_back(
        {hash(s.name, 1) % kSize, hash(s.name, 2) % (kSize - 1) + 1, s.weight, static_cast<std::uint32_t>(i), 0});
    heaviest = std::max(heaviest, s.weight);
  }
  if (walks.empty()) return;
  // The order of the turns affects the result.
  std::sort(walks.begin(), walks.end(),
            [&](const Walk& a, const Walk& b) { return servers[a.index].name < servers[b.index].name; });
  constexpr std::uint16_t kFree = 0xffff;
  slots_.assign(kSize, kFree);
  for (std::size_t filled = 0; filled < kSize;) {
    for (Walk& w : walks) {
      w.credit += w.weight;
      if (w.credit < heaviest) continue;
      w.credit -= heaviest;
      while (slots_[w.next] != kFree) w.next = (w.next + w.skip) % kSize;
      slots_[w.next] = static_cast<std::uint16_t>(w.index);
      if (++filled == kSize) break;
    }
  }
}

void HashTable::build_ketama(const std::vector<Server>& servers) {
  std::uint64_t total = 0, count = 0;
  for (const Server& s : servers) {
    total += s.weight;
    if (s.weight > 0) ++count;
  }
  for (std::size_t i = 0; i < servers_ && total > 0; ++i) {
    std::uint64_t n = (std::uint64_t{servers[i].weight} * points_per_server(count) * count + total / 2) / total;
    if (servers[i].weight > 0) n = std::max<std::uint64_t>(n, 1);
    for (std::uint64_t k = 0; k < n; ++k)
      points_.push_back({hash(servers[i].name, 3 + k), static_cast<std::uint16_t>(i)});
  }
  std::sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) { return a.at < b.at; });
}

std::size_t HashTable::first_point(std::uint64_t key) const {
  auto it =
      std::lower_bound(points_.begin(), points_.end(), key, [](const Point& p, std::uint64_t k) { return p.at < k; });
  return it == points_.end() ? 0 : static_cast<std::size_t>(it - points_.begin());
}

}  // namespace albatross
