// The circuit breaker of a group: when it fails as a whole, its servers are left alone for a while; then one request
// tries it, and opens the circuit for the others or not. The state is in GroupSlot and shared by workers. Any worker's
// thread.
#pragma once

#include "routing/balancing/server_table.h"

namespace albatross {

struct Circuit {
  std::uint32_t failure_percent = 0;  // of the requests in a window; 0: no circuit breaker
  std::uint32_t min_requests = 0;     // a window with fewer says nothing
  Nanos window = 0;
  Nanos open = 0;
};

enum class Admission : std::uint8_t { kYes, kTrial, kNo };
// May a request go to the group? kTrial: its outcome decides, by record() or abandon_trial().
Admission admit(const Circuit& circuit, GroupSlot& group, Nanos now);

enum class CircuitChange : std::uint8_t { kNone, kOpened, kClosed };
CircuitChange record(const Circuit& circuit, GroupSlot& group, bool trial, bool failed, Nanos now);
void abandon_trial(GroupSlot& group);

}  // namespace albatross
