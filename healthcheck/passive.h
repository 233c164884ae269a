// Passive ejection: servers that fail requests get none for a while. Judged by what requests meet, not by probes.
//
// The counts are in ServerSlot and shared by workers, so that five failures are five, whoever met them. Any worker's thread.
#pragma once

#include <span>

#include "routing/balancer.h"

namespace albatross {

struct PassiveCheck {
  std::uint32_t failures = 0;   // in a row; 0: no ejection
  Nanos ejection = 30 * kSecond;  // times how often it was ejected of late, ten at most
  std::uint32_t max_ejected = 50;  // percent of the group's servers; one of two or more always may be
};

// A request on candidates[i] has failed, or not. True if that ejected the server.
bool observe(const PassiveCheck& check, std::span<const Candidate> candidates, std::size_t i, bool failed, Nanos now);

}  // namespace albatross
