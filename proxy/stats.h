// What the proxy counts, by name. The Registry makes the objects on the control thread (or builder) and never frees
// them, so that counts survive reloads; each worker has its own set and is the only one to write it.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/stats.h"

namespace albatross {

// Index of the counters by status class; 0: no status.
inline std::size_t status_class(int status) {
  return status >= 100 && status < 600 ? static_cast<std::size_t>(status / 100) : 0;
}

struct ListenerStats {
  std::array<Counter, 6> requests;  // by status class; [0]: none was sent
  Histogram duration;
  Counter connections;         // accepted
  Counter connections_closed;  // so that open = the difference
  Counter tls_failures;
  Counter bytes_in, bytes_out;  // bodies
};

// grpc-status 0 to 16; 17: none came, or none of these.
constexpr std::size_t kGrpcStatuses = 18;

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
  Counter queued, queue_left, queue_refused, queue_timeouts;
  Counter circuit_opened, circuit_refused;
  std::array<Counter, kGrpcStatuses> grpc;  // calls by the status that the client got
};

struct ServerStats {
  Counter started, ended;  // requests
  Counter answers;
  Counter latency;   // microseconds until their heads, in all
  Counter failures;  // as passive checks count them
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

// Counters of one kind by name. One worker's lie side by side in the order in which they were first asked for, so that
// thousands of rules touch few cache lines.
template <class Stats>
class StatsTable {
 public:
  explicit StatsTable(int workers) : per_worker_(static_cast<std::size_t>(workers)) {}

  Stats& get(const std::string& name, int worker) {
    auto [it, is_new] = ids_.try_emplace(name, ids_.size());
    if (is_new) {
      for (auto& stats : per_worker_) stats.emplace_back();
    }
    return per_worker_[static_cast<std::size_t>(worker)][it->second];
  }
  const std::map<std::string, std::size_t>& names() const { return ids_; }
  bool has(const std::string& name) const { return ids_.contains(name); }

  template <class F>
  std::uint64_t sum(const std::string& name, F f) const {
    std::uint64_t n = 0;
    for (const auto& stats : per_worker_) n += f(stats[ids_.at(name)]);
    return n;
  }
  template <class F>
  void each(const std::string& name, F f) const {
    for (const auto& stats : per_worker_) f(stats[ids_.at(name)]);
  }

 private:
  std::map<std::string, std::size_t> ids_;
  std::vector<std::deque<Stats>> per_worker_;  // a deque's elements never move
};

class StatsRegistry {
 public:
  explicit StatsRegistry(int workers)
      : workers_(workers),
        listeners_(workers),
        groups_(workers),
        servers_(workers),
        rules_(workers),
        worker_stats_(static_cast<std::size_t>(workers)) {}
  ListenerStats& listener(const std::string& name, int worker) { return get(listeners_, name, worker); }
  GroupStats& group(const std::string& name, int worker) { return get(groups_, name, worker); }
  // `name`: GROUP/ADDRESS
  ServerStats& server(const std::string& name, int worker) { return get(servers_, name, worker); }
  RuleStats& rule(const std::string& address, int worker) { return get(rules_, address, worker); }
  WorkerStats& worker(int i) { return worker_stats_[static_cast<std::size_t>(i)]; }
  int workers() const { return workers_; }

  // f(listeners, groups, servers, rules) under the lock: the tables only grow.
  template <class F>
  void visit(F f) {
    std::lock_guard lock(lock_);
    f(listeners_, groups_, servers_, rules_);
  }

 private:
  template <class Stats>
  Stats& get(StatsTable<Stats>& table, const std::string& name, int worker) {
    std::lock_guard lock(lock_);
    return table.get(name, worker);
  }
  int workers_;
  std::mutex lock_;
  StatsTable<ListenerStats> listeners_;
  StatsTable<GroupStats> groups_;
  StatsTable<ServerStats> servers_;
  StatsTable<RuleStats> rules_;
  std::deque<WorkerStats> worker_stats_;
};

}  // namespace albatross
