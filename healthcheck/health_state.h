// When probes change a server's health. A value that its prober owns; one thread.
#pragma once

#include <cstdint>

#include "routing/balancing/server_table.h"

namespace albatross {

struct HealthState {
  Health health = Health::kUnknown;
  std::uint32_t in_a_row = 0;  // probes against the current state

  // Takes the result of a probe; true if the health changed. While it is unknown, one probe decides; after that it
  // takes as many probes in a row as the threshold of the new state.
  bool observe(bool success, std::uint32_t healthy_threshold, std::uint32_t unhealthy_threshold);
};

}  // namespace albatross
