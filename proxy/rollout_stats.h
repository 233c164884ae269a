// Counters of one arm of a rollout: a server group of a rule whose requests move to a new version. As the others of
// proxy/stats.h: each worker writes its own, any thread may read.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

#include "base/stats.h"

namespace albatross {

struct ArmStats {
  // Eight buckets for each doubling, from 64 us to 134 s: a quantile is off by 12 % at the most.
  static constexpr std::size_t kBuckets = 21 * 8 + 2;
  static constexpr std::size_t bucket_of(Nanos duration) {
    const std::uint64_t us = duration / kMicro;
    if (us < 64) return 0;
    const auto power = static_cast<std::size_t>(std::bit_width(us)) - 1;  // at least 6
    return std::min((power - 6) * 8 + ((us >> (power - 3)) & 7) + 1, kBuckets - 1);
  }
  // The shortest duration of that bucket.
  static constexpr Nanos least_of(std::size_t bucket) {
    if (bucket == 0) return 0;
    const std::size_t power = (bucket - 1) / 8 + 6;
    return ((std::uint64_t{8} + (bucket - 1) % 8) << (power - 3)) * kMicro;
  }

  // A request counts from when its group was chosen: if it counted at its end, quick failures would come before slow
  // successes. `withdrawn` are those whose outcome says nothing, see outcome() in proxy/exchange/account.h.
  Counter requests, withdrawn;
  Counter failures;
  std::array<Counter, kBuckets> head_times;  // from the request's begin to the head of its answer, without the connect
};

}  // namespace albatross
