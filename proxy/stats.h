// What the proxy counts, by name. The Registry makes the objects on the control thread (or builder) and never frees them, so
// that counts survive reloads; each worker has its own set and is the only one to write it.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/stats.h"

namespace albatross {

struct ListenerStats {
  std::array<Counter, 6> requests;  // by status class; [0]: none was sent
  Histogram duration;
  Counter connections;         // accepted
  Counter connections_closed;  // so that open = the difference
  Counter tls_failures;
  Counter bytes_in, bytes_out;  // bodies
};

struct GroupStats {
  std::array<Counter, 6> requests;  // by the server's status class
  Histogram duration;               // from choosing a server to the end of its answer
  Counter connects, connect_failures;
  Counter sync_failures;  // connects that never had a connection
  Counter connections_closed;
  Counter reused;
  Counter retries, retries_over_budget;
  Counter in_flight_started, in_flight_ended;
  Counter no_server;
};

struct RuleStats {
  Counter requests;
};

struct WorkerStats {
  std::array<Counter, static_cast<std::size_t>(Cause::kCount)> terminations;
  Counter connections_over_limit;
  Counter accept_failures;
  Counter regex_fallbacks;
};

class StatsRegistry {
 public:
  explicit StatsRegistry(int workers) : workers_(workers), worker_stats_(static_cast<std::size_t>(workers)) {}
  ListenerStats& listener(const std::string& name, int worker) { return get(listeners_, name, worker); }
  GroupStats& group(const std::string& name, int worker) { return get(groups_, name, worker); }
  RuleStats& rule(const std::string& address, int worker) { return get(rules_, address, worker); }
  WorkerStats& worker(int i) { return worker_stats_[static_cast<std::size_t>(i)]; }
  int workers() const { return workers_; }

  // Sums over workers. `read(stats)` per worker.
  template <class Stats>
  using Table = std::map<std::string, std::deque<Stats>>;
  // Under the lock: the tables only grow.
  void visit(const std::function<void(const Table<ListenerStats>&, const Table<GroupStats>&, const Table<RuleStats>&)>& f) {
    std::lock_guard lock(lock_);
    f(listeners_, groups_, rules_);
  }

 private:
  template <class Stats>
  Stats& get(Table<Stats>& table, const std::string& name, int worker) {
    std::lock_guard lock(lock_);
    std::deque<Stats>& per_worker = table[name];
    while (per_worker.size() < static_cast<std::size_t>(workers_)) per_worker.emplace_back();
    return per_worker[static_cast<std::size_t>(worker)];
  }
  int workers_;
  std::mutex lock_;
  Table<ListenerStats> listeners_;
  Table<GroupStats> groups_;
  Table<RuleStats> rules_;
  std::deque<WorkerStats> worker_stats_;
};

}  // namespace albatross
