// The counters of the proxy, by name. Parts of a configuration hold the counters that they use and share them with the
// parts before them, so counts survive reloads. Each worker has its own set and is the only one to write it; any thread
// may read. The Process owns the StatsRegistry.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/stats.h"
#include "proxy/rollout_stats.h"

namespace albatross {

// The index of a status among counters by status class; 0: no status was sent.
inline std::size_t status_class(int status) {
  return status >= 100 && status < 600 ? static_cast<std::size_t>(status / 100) : 0;
}

struct ListenerStats {
  std::array<Counter, 6> requests;  // by status class; [0]: none was sent
  Histogram duration;
  Counter connections;         // accepted
  Counter connections_closed;  // open connections are the difference
  Counter tls_failures;
  Counter underscored;          // request fields dropped for the `_` in their names
  Counter bytes_in, bytes_out;  // bytes of bodies
};

// Counters by grpc-status 0 to 16; the last is for calls without one, or with another.
constexpr std::size_t kGrpcStatuses = 18;

struct GroupStats {
  std::array<Counter, 6> requests;  // by the server's status class
  Histogram duration;               // from the choice of a server to the head of its answer
  Counter connects, connect_failures;
  Counter sync_failures;  // connects that failed at once, without a connection
  Counter connections_closed;
  Counter reused;
  Counter retries, retries_over_budget;
  Counter in_flight_started, in_flight_ended;
  Counter no_server;
  Counter queued, queue_left, queue_refused, queue_timeouts;
  Counter circuit_opened, circuit_refused;
  std::array<Counter, kGrpcStatuses> grpc;  // calls, by the status that the client got
};

struct ServerStats {
  Counter started, ended;           // requests
  std::array<Counter, 6> requests;  // answers, by status class
  Counter latency;                  // the sum of microseconds until the heads of answers
  Counter failures;                 // failed requests, as passive checks count them
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

// Counters of one kind, by name. They exist while somebody holds the name's Entry: parts of the configuration do, so
// counts survive reloads, and the counters of removed parts are freed. The counters of one worker are adjacent in
// memory, in the order in which they were first asked for, so thousands of rules touch few cache lines.
template <class Stats>
class StatsTable {
 public:
  StatsTable(int workers, std::mutex& lock) : lock_(lock), per_worker_(static_cast<std::size_t>(workers)) {}

  // A reference to the counters of one name. Any thread may hold and drop it. The table outlives it.
  class Entry {
   public:
    Entry(StatsTable& table, std::string name, std::size_t id) : table_(table), name_(std::move(name)), id_(id) {
      for (auto& stats : table.per_worker_) of_.push_back(&stats[id]);
    }
    ~Entry() { table_.free(*this); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    // The counters of that worker. Only that worker writes them.
    Stats& of(int worker) const { return *of_[static_cast<std::size_t>(worker)]; }

   private:
    friend class StatsTable;
    StatsTable& table_;
    std::string name_;
    std::size_t id_;
    std::vector<Stats*> of_;  // by worker: the tables themselves grow under their lock
  };
  using Ref = std::shared_ptr<const Entry>;

  // The entry of that name, made if there is none. Any thread.
  Ref get(const std::string& name) {
    std::lock_guard hold(lock_);
    std::weak_ptr<const Entry>& known = entries_[name];
    if (Ref entry = known.lock()) return entry;
    std::size_t id = per_worker_[0].size();
    if (free_.empty()) {
      for (auto& stats : per_worker_) stats.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    Ref entry = std::make_shared<Entry>(*this, name, id);
    known = entry;
    ids_[name] = id;
    return entry;
  }

  // These need the registry's lock: see StatsRegistry::visit.
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
  void free(const Entry& entry) {
    std::lock_guard hold(lock_);
    for (auto& stats : per_worker_) {
      std::destroy_at(&stats[entry.id_]);
      std::construct_at(&stats[entry.id_]);
    }
    free_.push_back(entry.id_);
    auto it = entries_.find(entry.name_);
    if (it == entries_.end() || !it->second.expired()) return;  // the name has a new entry
    entries_.erase(it);
    ids_.erase(entry.name_);
  }

  std::mutex& lock_;
  std::map<std::string, std::weak_ptr<const Entry>> entries_;
  std::map<std::string, std::size_t> ids_;
  std::vector<std::size_t> free_;
  std::vector<std::deque<Stats>> per_worker_;  // a deque's elements never move
};

using ListenerStatsRef = StatsTable<ListenerStats>::Ref;
using GroupStatsRef = StatsTable<GroupStats>::Ref;
using ServerStatsRef = StatsTable<ServerStats>::Ref;
using RuleStatsRef = StatsTable<RuleStats>::Ref;
using ArmStatsRef = StatsTable<ArmStats>::Ref;

class StatsRegistry {
 public:
  explicit StatsRegistry(int workers)
      : workers_(workers),
        listeners_(workers, lock_),
        groups_(workers, lock_),
        servers_(workers, lock_),
        rules_(workers, lock_),
        arms_(workers, lock_),
        worker_stats_(static_cast<std::size_t>(workers)) {}
  ListenerStatsRef listener(const std::string& name) { return listeners_.get(name); }
  GroupStatsRef group(const std::string& name) { return groups_.get(name); }
  // `name`: GROUP/ADDRESS
  ServerStatsRef server(const std::string& name) { return servers_.get(name); }
  // `address`: LISTENER/RULE
  RuleStatsRef rule(const std::string& address) { return rules_.get(address); }
  // `name`: LISTENER/RULE and the group, with a space between them
  ArmStatsRef arm(const std::string& name) { return arms_.get(name); }
  WorkerStats& worker(int i) { return worker_stats_[static_cast<std::size_t>(i)]; }
  int workers() const { return workers_; }

  // Calls f(listeners, groups, servers, rules) under the lock. f must not drop an Entry.
  template <class F>
  void visit(F f) {
    std::lock_guard lock(lock_);
    f(listeners_, groups_, servers_, rules_);
  }
  // The same with the arms of rollouts.
  template <class F>
  void visit_arms(F f) {
    std::lock_guard lock(lock_);
    f(arms_);
  }

 private:
  int workers_;
  std::mutex lock_;
  StatsTable<ListenerStats> listeners_;
  StatsTable<GroupStats> groups_;
  StatsTable<ServerStats> servers_;
  StatsTable<RuleStats> rules_;
  StatsTable<ArmStats> arms_;
  std::deque<WorkerStats> worker_stats_;
};

}  // namespace albatross
