// Which server of a group takes the next request: an order of candidates and a predicate that accepts one. A scheduler
// defines the order, and everything else (health, drain, slow start, zone, backup, already tried, capacity) is in the
// predicate.
//
// Each worker has one Balancer per group, for its own thread. The slots are shared: only they carry load and health
// between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/siphash.h"
#include "config/config.h"
#include "routing/balancing/hash_table.h"
#include "routing/balancing/server_table.h"

namespace albatross {

enum class Scheduler : std::uint8_t {
  kRoundRobin,        // wrr: smooth weighted round robin
  kLeastOutstanding,  // wlc: requests in flight by weight; all of up to 16, two at random above
  kTwoChoices,        // p2c: two at random, the one with less peak-EWMA latency and load
  kHash,              // hash, sch, uch
};

// How the share of a server that is new, or was unhealthy or ejected, grows to the full one.
struct SlowStart {
  using Curve = config::SlowStart::Curve;
  Nanos window = 0;  // 0: none
  Curve curve = Curve::kLinear;
};

struct BalancerSettings {
  Scheduler scheduler = Scheduler::kRoundRobin;
  SlowStart slow_start;
  bool local_first = false;        // servers of our zone before the others
  std::uint32_t max_load = 0;      // kHash: the most a server has in flight, percent of its share; 0: any
  std::uint32_t max_requests = 0;  // in flight on the group; 0: any
  bool limits = false;             // some server has a max_requests
  bool counts_load() const {
    return scheduler == Scheduler::kLeastOutstanding || scheduler == Scheduler::kTwoChoices || max_load != 0 || limits;
  }
};

// Whether this worker's connections to a server allow another request.
class Room {
 public:
  virtual bool has_room() const = 0;

 protected:
  ~Room() = default;
};

// A server of the group, by its index in the snapshot's list.
struct Candidate {
  ServerSlot* slot = nullptr;
  bool backup = false;
  bool local = false;
  std::uint32_t max_requests = 0;  // in flight; 0: any
  const Room* room = nullptr;      // null: any number of connections
  std::uint32_t weight = 0;        // of the slot, when it was last read
};

// Where a request was counted when it was taken. Given back once, even if the settings have changed by then.
struct Counted {
  bool server = false;
  bool group = false;
};

class Balancer {
 public:
  // Takes new candidates and settings. Candidates that were there before, by their slots, keep their turn and their
  // latency. `settings`, `group`, `random` and the slots outlive this, or the next update(). `table` for kHash, by the
  // same indices. O(n).
  void update(const BalancerSettings& settings, GroupSlot& group, std::vector<Candidate> candidates,
              std::shared_ptr<const HashTable> table, Random& random);
  // Reads the slots' weights again; `table` for kHash.
  void refresh(std::shared_ptr<const HashTable> table);

  struct Ask {
    std::uint64_t key = 0;  // kHash: hash_key() of what the request is hashed by
    Nanos now = 0;
    std::span<const ServerSlot* const> tried;  // these are picked only if there is no other
    bool fail_open = false;                    // if none is usable, any that is not draining is picked
  };
  static constexpr int kNone = -1;
  static constexpr int kFull = -2;  // some are usable, but a limit is reached
  // The index of a candidate, or kNone or kFull. Looks at local ones first (with local_first), then at all but backups,
  // then at backups. Counts nothing.
  int pick(const Ask& ask);

  // What would be picked next, and which part of many requests each candidate would get now, 0 to 1. Changes nothing;
  // load and latency do not count in the parts. For people who ask, not for the request path.
  struct Preview {
    int next = kNone;
    std::vector<double> parts;
  };
  Preview preview(const Ask& ask) const;

  // Like pick(), but returns `wanted` if that is an index and takes requests. Counts a request on the server, and sets
  // `counted` to where it was counted. The limits hold even if several workers take at the same time.
  int take(const Ask& ask, Counted& counted, int wanted = kNone);
  // A request that was taken has ended.
  static void give_back(ServerSlot& server, GroupSlot& group, Counted counted);
  // The head of an answer of candidate `i` has come after `latency` nanoseconds.
  void answered(int i, Nanos latency, Nanos now);

  // Whether any candidate takes requests, limits aside.
  bool any_usable(Nanos now) const;

  const std::vector<Candidate>& candidates() const { return candidates_; }

 private:
  enum class Tier : std::uint8_t { kLocal, kPrimary, kBackup, kAny };
  static constexpr std::size_t kScan = 16;
  static constexpr std::uint32_t kWhole = 1024;  // a share of one in slow start

  bool eligible(std::size_t i, Tier tier, const Ask& ask, bool again);
  bool fits(const Candidate& c) const;
  bool count(int i, Counted& counted);
  void place_turns();
  std::uint32_t share(const Candidate& c, Nanos now) const;
  bool over_load(std::size_t i) const;
  bool stays_local(const Ask& ask);
  std::uint64_t local_permille(Nanos now) const;
  int pick_in(Tier tier, const Ask& ask, bool again);
  template <class Ok>
  int round_robin(Nanos now, Ok ok);
  template <class Ok>
  int least(Nanos now, Ok ok);
  template <class Ok>
  int sampled(Nanos now, Ok ok);
  template <class Ok>
  int two_choices(Nanos now, Ok ok);
  template <class Ok>
  int hashed(const Ask& ask, Ok ok);
  double cost(int i) const;

  const BalancerSettings* settings_ = nullptr;
  GroupSlot* group_ = nullptr;
  std::vector<Candidate> candidates_;
  std::vector<std::int64_t> current_;  // round robin
  std::vector<std::uint64_t> sums_;    // of weights up to and including i: for sampling
  struct Latency {
    double ewma = 0;  // nanoseconds
    Nanos at = 0;
  };
  std::vector<Latency> latency_;
  std::shared_ptr<const HashTable> table_;
  std::uint64_t local_weight_ = 0;
  bool has_local_ = false, has_backup_ = false;
  bool full_ = false;  // in this pick, a server was refused only because of a limit
  Random* random_ = nullptr;
};

}  // namespace albatross
