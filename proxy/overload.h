// How short of memory and descriptors the process is, and what is done about it: four levels on one pressure number.
// Control thread; workers read the level.
#pragma once

#include <atomic>
#include <cstdint>

namespace albatross {

enum class OverloadLevel : std::uint8_t {
  kNone,
  kNoKeepAlive,  // idle connections to servers are closed, clients' are not kept
  kEndLargest,   // the exchanges that hold the most memory are ended
  kRefuse,       // new requests get 503
  kStopAccepting,
};

// What is used and what there is; a limit of 0: none.
struct Resources {
  std::uint64_t memory = 0, memory_limit = 0;
  std::uint64_t descriptors = 0, descriptor_limit = 0;
  double memory_ratio() const {
    return memory_limit == 0 ? 0 : static_cast<double>(memory) / static_cast<double>(memory_limit);
  }
  double descriptor_ratio() const {
    return descriptor_limit == 0 ? 0 : static_cast<double>(descriptors) / static_cast<double>(descriptor_limit);
  }
};

// Entered at 80, 90, 95 and 98 percent, left five points below.
OverloadLevel next_level(OverloadLevel now, const Resources& r);

// Resident bytes of this process.
std::uint64_t resident_memory();
// The cgroup's memory limit; 0: none.
std::uint64_t cgroup_memory_limit();

}  // namespace albatross
