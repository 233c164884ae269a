#include "routing/scheduler.h"

namespace albatross {

void WeightedRoundRobin::reset(std::vector<Candidate> candidates, Random& random) {
  candidates_ = std::move(candidates);
  current_.assign(candidates_.size(), 0);
  std::uint64_t steps = random.below(candidates_.size());
  for (std::uint64_t i = 0; i < steps; ++i) pick(true, [](int) { return true; });
}

}  // namespace albatross
