// Measures how many of the local ports towards each server are taken. A port is taken while a connection is open, and
// for a minute after we have closed it (TIME_WAIT). A member of OverloadWatch; control thread.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "proxy/snapshot.h"

namespace albatross {

class PortWatch {
 public:
  static constexpr Nanos kInterval = 10 * kSecond;
  // Takes a sample; to be called every kInterval. Forgets servers that are not in the snapshot.
  void sample(const Snapshot& snapshot);
  // The share of ports that is taken, 0 to 1; a little more if closed connections leave no TIME_WAIT. 0 for unix
  // sockets.
  double used(const ServerEntry& server) const;
  // The size of net.ipv4.ip_local_port_range.
  static std::uint32_t ports_of_the_kernel();

 private:
  static constexpr std::size_t kMinute = 6;
  using History = std::array<std::uint64_t, kMinute>;  // ServerSlot::closed, the oldest first
  std::map<const ServerSlot*, History> closed_;
};

}  // namespace albatross
