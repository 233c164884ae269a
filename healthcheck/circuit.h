// The circuit breaker of a group. If too many of its requests fail, the circuit opens: nothing is forwarded for a
// while. Then one request tries the group; if it succeeds the circuit closes. The state is in the GroupSlot, which
// workers share. Any worker's thread.
#pragma once

#include "routing/balancing/server_table.h"

namespace albatross {

// As configured.
struct Circuit {
  std::uint32_t failure_percent = 0;  // of the requests in a window that opens it; 0: no circuit breaker
  std::uint32_t min_requests = 0;     // in a window that can open it
  Nanos window = 0;                   // how long requests are counted
  Nanos open = 0;                     // how long it stays open
};

enum class Admission : std::uint8_t { kYes, kTrial, kNo };
// Whether a request may go to the group. kTrial: it is the one that tries the group, and record() or abandon_trial()
// must follow.
Admission admit(const Circuit& circuit, GroupSlot& group, Nanos now);

enum class CircuitChange : std::uint8_t { kNone, kOpened, kClosed };
// Counts how a request on the group ended. `trial`: it was admitted by kTrial. Returns the change of the circuit.
CircuitChange record(const Circuit& circuit, GroupSlot& group, bool trial, bool failed, Nanos now);
// The request that was to try the group ended without an outcome: another one will try.
void abandon_trial(GroupSlot& group);

}  // namespace albatross
