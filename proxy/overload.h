// How close the process is to its limits of memory and descriptors, as a level, and what is done at each level. Pure
// functions and values: the control thread computes the level (process/overload_watch.h), workers read it.
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

// The use and the limit of memory (bytes) and of descriptors. A limit of 0: there is none.
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

// The next level. Levels are entered at 80, 90, 95 and 98 percent of the larger ratio, and left five points below.
OverloadLevel next_level(OverloadLevel now, const Resources& r);

// The resident memory of this process, bytes; 0 if it cannot be read.
std::uint64_t resident_memory();
// The cgroup's memory limit, bytes; 0: none.
std::uint64_t cgroup_memory_limit();

}  // namespace albatross
