#include "proxy/overload.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

namespace albatross {
namespace {

constexpr std::array<double, 4> kEnter = {0.80, 0.90, 0.95, 0.98};
constexpr double kHysteresis = 0.05;

bool read_file(const char* path, char* into, std::size_t size) {
  int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = ::read(fd, into, size - 1);
  ::close(fd);
  into[n > 0 ? n : 0] = 0;
  return n > 0;
}

}  // namespace

OverloadLevel next_level(OverloadLevel now, const Resources& r) {
  const double pressure = std::max(r.memory_ratio(), r.descriptor_ratio());
  std::size_t level = static_cast<std::size_t>(now);
  while (level < kEnter.size() && pressure >= kEnter[level]) ++level;
  while (level > 0 && pressure < kEnter[level - 1] - kHysteresis) --level;
  return static_cast<OverloadLevel>(level);
}

// Called five times a second, so it does not use the heap.
std::uint64_t resident_memory() {
  char text[128];
  if (!read_file("/proc/self/statm", text, sizeof text)) return 0;
  const char* resident = std::strchr(text, ' ');
  return resident == nullptr ? 0
                             : std::strtoull(resident, nullptr, 10) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t cgroup_memory_limit() {
  char text[64];
  return read_file("/sys/fs/cgroup/memory.max", text, sizeof text) ? std::strtoull(text, nullptr, 10)
                                                                   : 0;  // "max" is not a number
}

}  // namespace albatross
