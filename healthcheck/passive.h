// Passive ejection: servers that fail requests get none for a while. Judged by what requests meet, not by probes. Here
// those that fail in a row; outlier.h compares the servers of a group.
//
// The counts are in ServerSlot and shared by workers, so that five failures are five, whoever met them. Any worker's
// thread.
#pragma once

#include <span>

#include "routing/balancing/balancer.h"

namespace albatross {

struct PassiveCheck {
  std::uint32_t failures = 0;     // in a row; 0: no ejection
  Nanos ejection = 0;             // base time, multiplied by the number of recent ejections, at most 10
  std::uint32_t max_ejected = 0;  // percent of the group's servers; one of two or more always may be
  // outlier.h; 0: not looked at.
  std::uint32_t failure_percent = 0;
  std::uint32_t latency_factor = 0;
  std::uint32_t min_requests = 0;
  Nanos interval = 0;
  bool compares() const { return failure_percent != 0 || latency_factor != 0; }
};

// Ejects the server, one of `candidates`, if it is not and as many may be.
bool eject(const PassiveCheck& check, std::span<const Candidate> candidates, ServerSlot& slot, Nanos now);

// A request on candidates[i] has failed, or not. True if that ejected the server.
bool observe(const PassiveCheck& check, std::span<const Candidate> candidates, std::size_t i, bool failed, Nanos now);

}  // namespace albatross
