#include "proxy/overload.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

namespace albatross {
namespace {

constexpr std::array<double, 4> kEnter = {0.80, 0.90, 0.95, 0.98};
constexpr double kHysteresis = 0.05;

}  // namespace

OverloadLevel next_level(OverloadLevel now, const Resources& r) {
  const double pressure = std::max(r.memory_ratio(), r.descriptor_ratio());
  std::size_t level = static_cast<std::size_t>(now);
  while (level < kEnter.size() && pressure >= kEnter[level]) ++level;
  while (level > 0 && pressure < kEnter[level - 1] - kHysteresis) --level;
  return static_cast<OverloadLevel>(level);
}

std::uint64_t resident_memory() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t cgroup_memory_limit() {
  std::ifstream max("/sys/fs/cgroup/memory.max");
  std::uint64_t bytes = 0;
  return max >> bytes ? bytes : 0;  // "max" is no number
}

}  // namespace albatross
