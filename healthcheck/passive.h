// Passive checks: a server that fails requests is ejected, which means that it gets none for a while. This file ejects
// for failures in a row; healthcheck/outlier.h compares the servers of a group.
//
// The counts are in the ServerSlot and shared, so the failures that different workers see add up. Any thread.
#pragma once

#include <span>

#include "routing/balancing/balancer.h"

namespace albatross {

// As configured.
struct PassiveCheck {
  std::uint32_t failures = 0;     // in a row that eject; 0: no passive check
  Nanos ejection = 0;             // base time, multiplied by the number of recent ejections, at most 10
  std::uint32_t max_ejected = 0;  // percent of the group's servers at once; of two or more, one always may be
  // healthcheck/outlier.h.
  std::uint32_t failure_percent = 0;  // of the requests in an interval that ejects; 0: not judged
  std::uint32_t latency_factor = 0;   // times the median latency of the group that ejects; 0: not judged
  std::uint32_t min_requests = 0;     // in an interval, of a server that is judged
  Nanos interval = 0;
  bool compares() const { return failure_percent != 0 || latency_factor != 0; }
};

// Ejects the server, one of `candidates`, unless it is ejected already or too many are. Returns whether it did.
bool eject(const PassiveCheck& check, std::span<const Candidate> candidates, ServerSlot& slot, Nanos now);

// Counts a request on candidates[i] that failed or succeeded. True if that ejected the server.
bool observe(const PassiveCheck& check, std::span<const Candidate> candidates, std::size_t i, bool failed, Nanos now);

}  // namespace albatross
