// One slot for each server (group and address) and one for each group: what is known about them over reloads.
//
// Slots are made on the control or builder thread and shared by snapshots; workers hold raw pointers while a snapshot
// pins them. Their atomics are all that crosses threads on the request path, besides the workers' counters. The prober
// writes the health, workers read it.
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

// Requests since the servers were last compared (healthcheck/outlier.h), counted where a passive check needs it.
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
  std::atomic<std::uint32_t> weight{0};  // the file's, or the one that an operator has set
  std::atomic<Nanos> slow_since{0};      // when slow start began; 0: never
  // healthcheck/passive.h
  std::atomic<Nanos> ejected_until{0};      // 0: never ejected; else may be in the past
  std::atomic<std::uint32_t> failures{0};   // in a row
  std::atomic<std::uint32_t> ejections{0};  // recent ones, at most 10
  std::atomic<bool> failed_in_row{false};   // why it was ejected; false: for last_ejection
  // Connections of all workers, and the number closed by us: the port of each of those is unusable for a minute.
  std::atomic<std::uint32_t> connections{0};
  std::atomic<std::uint64_t> closed{0};
  // Requests in flight of all workers, counted where a scheduler or a limit needs it.
  alignas(64) std::atomic<std::uint32_t> load{0};
  alignas(64) ServerWindow window;

  // Only for the control thread.
  std::string last_failure;   // of a probe
  std::string last_ejection;  // why it was an outlier among the servers of its group
  Nanos changed_at = 0;       // wall time of the last change of health; 0: never
  bool known = false;         // a configuration that used it has been served

  // Whether it may get requests. Unknown health counts as healthy: without probes nothing else is known.
  bool usable(Nanos now) const {
    return health.load(std::memory_order_relaxed) != Health::kUnhealthy && !draining.load(std::memory_order_relaxed) &&
           ejected_until.load(std::memory_order_relaxed) <= now;
  }
};

// What the workers share about a group. Written only where a limit, a queue or a circuit breaker needs it.
struct GroupSlot {
  static constexpr std::size_t kWorkers = 256;  // the most that a process has
  std::string name;
  std::uint32_t id = 0;                               // small; reused only when this slot is gone
  alignas(64) std::atomic<std::uint32_t> load{0};     // requests in flight on its servers
  alignas(64) std::atomic<std::uint32_t> waiting{0};  // requests in the workers' queues
  std::array<std::atomic<Nanos>, kWorkers> oldest{};  // by worker: since when its first request waits; 0: none waits
  std::atomic<std::uint64_t> ejections{0};            // ejections of its servers since the start
  // healthcheck/circuit.h
  alignas(64) std::atomic<Nanos> window_began{0};
  std::atomic<std::uint32_t> requests{0}, failures{0};
  std::atomic<Nanos> open_until{0};  // 0: closed; in the past: one request may try the group
  std::atomic<bool> trial{false};    // that request is under way
};

// All slots of the process. Any thread, under a lock.
class ServerTable {
 public:
  // The slot of that server or group, made if there is none yet.
  std::shared_ptr<ServerSlot> slot(const std::string& group, const std::string& address);
  std::shared_ptr<GroupSlot> group(const std::string& name);
  // Forgets slots that nothing else holds any more.
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
