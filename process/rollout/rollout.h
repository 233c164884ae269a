// A rollout: how far the requests of a rule have moved to a new group, and the record of what was seen, decided and
// done. A value; it outlives the process as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace albatross {

enum class RolloutPhase : std::uint8_t {
  kRunning,
  kPaused,   // the share stays, and the groups are still compared
  kDone,     // the new group has the share of the last step
  kAborted,  // the new group has no requests
  kEnded,    // the weights are the file's again
};
// "running"
const char* phase_name(RolloutPhase phase);

struct RolloutEntry {
  Nanos wall = 0;  // nanoseconds since 1970
  std::string seen;
  std::string decided;
  std::string done;
};

struct Rollout {
  std::string rule;  // LISTENER/RULE
  std::string to;
  RolloutPhase phase = RolloutPhase::kRunning;
  std::size_t step = 0;  // an index
  std::uint32_t percent = 0;
  Nanos began = 0, step_began = 0;  // wall time
  std::string plan;                 // the file's text of it: with another one it ends
  std::vector<RolloutEntry> record;

  bool is_open() const { return phase == RolloutPhase::kRunning || phase == RolloutPhase::kPaused; }
};

nlohmann::json to_json(const Rollout& rollout);
// nullopt if it is none.
std::optional<Rollout> rollout_from(const nlohmann::json& json);

}  // namespace albatross
