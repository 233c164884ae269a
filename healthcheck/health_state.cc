#include "healthcheck/health_state.h"

namespace albatross {

bool HealthState::observe(bool success, std::uint32_t healthy_threshold, std::uint32_t unhealthy_threshold) {
  Health seen = success ? Health::kHealthy : Health::kUnhealthy;
  if (health == seen) {
    in_a_row = 0;
    return false;
  }
  ++in_a_row;
  std::uint32_t needed = health == Health::kUnknown ? 1 : success ? healthy_threshold : unhealthy_threshold;
  if (in_a_row < needed) return false;
  health = seen;
  in_a_row = 0;
  return true;
}

}  // namespace albatross
