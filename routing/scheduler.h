// Which server of a group takes the next request: candidates plus an accept predicate, one mechanism for all.
//
// Smooth weighted round robin, one state per group and worker (no sharing); the start is random, so that many workers do
// not begin with the same server. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/siphash.h"
#include "routing/server_table.h"

namespace albatross {

struct Candidate {
  ServerSlot* slot = nullptr;
  std::uint32_t weight = 0;
};

class WeightedRoundRobin {
 public:
  void reset(std::vector<Candidate> candidates, Random& random);

  // The index of the chosen candidate, or -1. `accept(i)` may refuse any (already tried, at capacity). Unusable servers are
  // passed over unless `any_health`; weight 0 always.
  template <class Accept>
  int pick(bool any_health, Accept accept) {
    int best = -1;
    std::int64_t total = 0;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const Candidate& c = candidates_[i];
      if (c.weight == 0 || !(any_health ? !c.slot->draining.load(std::memory_order_relaxed) : c.slot->usable())) continue;
      if (!accept(static_cast<int>(i))) continue;
      current_[i] += c.weight;
      total += c.weight;
      if (best < 0 || current_[i] > current_[static_cast<std::size_t>(best)]) best = static_cast<int>(i);
    }
    if (best >= 0) current_[static_cast<std::size_t>(best)] -= total;
    return best;
  }

  const std::vector<Candidate>& candidates() const { return candidates_; }

 private:
  std::vector<Candidate> candidates_;
  std::vector<std::int64_t> current_;
};

}  // namespace albatross
