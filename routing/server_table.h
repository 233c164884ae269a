// One stable slot per (group, address): what is known of a server, over reloads.
//
// Slots are made on the control thread and shared by snapshots; workers hold raw pointers while a snapshot pins them. The
// atomics are the closed list of what crosses threads on the request path: the health byte is written by the prober
// and read by workers; counters are written per worker elsewhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"

namespace albatross {

enum class Health : std::uint8_t { kUnknown, kHealthy, kUnhealthy };

struct ServerSlot {
  std::string group;
  std::string address;  // "10.0.1.10:8080", as resolved
  std::atomic<Health> health{Health::kUnknown};
  std::atomic<bool> draining{false};
  std::atomic<std::uint32_t> weight{0};  // the file's, or what an operator has set
  std::atomic<Nanos> slow_since{0};      // slow start counts from here; 0: it never was new or down
  // healthcheck/passive.h
  std::atomic<Nanos> ejected_until{0};
  std::atomic<std::uint32_t> failures{0};   // in a row
  std::atomic<std::uint32_t> ejections{0};  // of late
  // Requests in flight of all workers, where a scheduler asks for it.
  alignas(64) std::atomic<std::uint32_t> load{0};

  // Written by the prober under the control thread only.
  std::string last_failure;
  Nanos changed_at = 0;
  bool known = false;  // some configuration has served by it; control thread

  // Unknown counts as usable: without probes nothing else is known.
  bool usable(Nanos now) const {
    return health.load(std::memory_order_relaxed) != Health::kUnhealthy && !draining.load(std::memory_order_relaxed) &&
           ejected_until.load(std::memory_order_relaxed) <= now;
  }
};

// Any thread.
class ServerTable {
 public:
  // The slot of that server, made if it is new.
  std::shared_ptr<ServerSlot> slot(const std::string& group, const std::string& address);
  // Forgets slots that no snapshot holds any more.
  void sweep();
  std::vector<std::shared_ptr<ServerSlot>> all() const;

 private:
  mutable std::mutex lock_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<ServerSlot>> slots_;
};

}  // namespace albatross
