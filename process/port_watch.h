// Local ports: how many of those there are towards each server are taken. A port is taken while a connection is open
// and for a minute after we have closed it (TIME_WAIT). Control thread.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "proxy/snapshot.h"

namespace albatross {

class PortWatch {
 public:
  static constexpr Nanos kInterval = 10 * kSecond;
  // Every kInterval. Forgets servers that are not in the snapshot.
  void sample(const Snapshot& snapshot);
  // 0 to 1, and a little above when closed connections leave no TIME_WAIT. 0 for unix sockets.
  double used(const ServerEntry& server) const;
  // net.ipv4.ip_local_port_range
  static std::uint32_t ports_of_the_kernel();

 private:
  static constexpr std::size_t kMinute = 6;
  using History = std::array<std::uint64_t, kMinute>;  // ServerSlot::closed, the oldest first
  std::map<const ServerSlot*, History> closed_;
};

}  // namespace albatross
