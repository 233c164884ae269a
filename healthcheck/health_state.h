// When a server's health flips: a pure function of what was observed.
#pragma once

#include <cstdint>

#include "routing/balancing/server_table.h"

namespace albatross {

struct HealthState {
  Health health = Health::kUnknown;
  std::uint32_t in_a_row = 0;  // observations against the current state

  // True if the state changed. The first observation alone decides the first state.
  bool observe(bool success, std::uint32_t healthy_threshold, std::uint32_t unhealthy_threshold);
};

}  // namespace albatross
