#include "base/stats.h"

namespace albatross {

void Histogram::record(Nanos duration) {
  static constexpr auto kNanos = [] {
    std::array<Nanos, kBounds.size()> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Nanos>(kBounds[i] * 1e9);
    return out;
  }();
  std::size_t i = 0;
  while (i < kNanos.size() && duration > kNanos[i]) ++i;
  buckets_[i].add();
  sum_.add(duration);
}

}  // namespace albatross
