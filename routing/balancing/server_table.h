// One stable slot per (group, address): what is known of a server, over reloads.
//
// Slots are made on the control thread and shared by snapshots; workers hold raw pointers while a snapshot pins them.
// The atomics are the closed list of what crosses threads on the request path: the health byte is written by the prober
// and read by workers; counters are written per worker elsewhere.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"

namespace albatross {

// Counted of late, where passive checks ask for it; taken by who judges (healthcheck/outlier.h).
struct ServerWindow {
  std::atomic<std::uint32_t> requests{0}, failures{0};
  std::atomic<std::uint64_t> latency{0};  // microseconds, of those that did not fail
};

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
  // Connections to it of all workers, and those that this process has closed: their ports rest for a minute.
  std::atomic<std::uint32_t> connections{0};
  std::atomic<std::uint64_t> closed{0};
  // Requests in flight of all workers, where a scheduler or a limit asks for it.
  alignas(64) std::atomic<std::uint32_t> load{0};
  alignas(64) ServerWindow window;

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

// What the workers share about a group, where a limit, a queue or a circuit breaker asks for it.
struct GroupSlot {
  static constexpr std::size_t kWorkers = 256;
  std::string name;
  std::uint32_t id = 0;  // dense; another group has it only when this slot has gone
  alignas(64) std::atomic<std::uint32_t> load{0};     // requests on its servers
  alignas(64) std::atomic<std::uint32_t> waiting{0};  // in the workers' queues
  std::array<std::atomic<Nanos>, kWorkers> oldest{};  // since when the first of each has waited; 0: none does
  std::atomic<std::uint64_t> ejections{0};            // of its servers
  // healthcheck/circuit.h
  alignas(64) std::atomic<Nanos> window_began{0};
  std::atomic<std::uint32_t> requests{0}, failures{0};
  std::atomic<Nanos> open_until{0};  // 0: closed; in the past: one request tries
  std::atomic<bool> trial{false};
};

// Any thread.
class ServerTable {
 public:
  // The slot of that server, made if it is new.
  std::shared_ptr<ServerSlot> slot(const std::string& group, const std::string& address);
  std::shared_ptr<GroupSlot> group(const std::string& name);
  // Forgets slots that no snapshot holds any more.
  void sweep();
  std::vector<std::shared_ptr<ServerSlot>> all() const;

 private:
  mutable std::mutex lock_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<ServerSlot>> slots_;
  std::map<std::string, std::shared_ptr<GroupSlot>> groups_;
  std::vector<std::uint32_t> free_ids_;
  std::uint32_t next_id_ = 0;
};

}  // namespace albatross
