#include "process/port_watch.h"

#include <sys/socket.h>

#include <algorithm>
#include <fstream>

namespace albatross {

std::uint32_t PortWatch::ports_of_the_kernel() {
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  std::uint32_t first = 0, last = 0;
  return range >> first >> last && last >= first ? last - first + 1 : 28232;
}

void PortWatch::sample(const Snapshot& snapshot) {
  std::map<const ServerSlot*, History> next;
  for (const auto& g : snapshot.groups) {
    for (const ServerEntry& e : g->servers) {
      const std::uint64_t closed = e.slot->closed.load();
      auto it = closed_.find(e.slot.get());
      History h;
      if (it == closed_.end()) {
        h.fill(closed);
      } else {
        std::copy(it->second.begin() + 1, it->second.end(), h.begin());
        h.back() = closed;
      }
      next[e.slot.get()] = h;
    }
  }
  closed_ = std::move(next);
}

double PortWatch::used(const ServerEntry& server) const {
  const SocketAddress& to = server.settings->addresses.at(0);
  if (to.family() == AF_UNIX) return 0;
  const auto& sources = server.settings->source_addresses;
  auto of_the_family = std::count_if(sources.begin(), sources.end(),
                                     [&to](const IpAddress& a) { return a.is_v4 == (to.family() == AF_INET); });
  std::uint64_t taken = server.slot->connections.load();
  if (auto it = closed_.find(server.slot.get()); it != closed_.end())
    taken += server.slot->closed.load() - it->second.front();
  return static_cast<double>(taken) /
         (static_cast<double>(ports_of_the_kernel()) * static_cast<double>(std::max<std::ptrdiff_t>(1, of_the_family)));
}

}  // namespace albatross
