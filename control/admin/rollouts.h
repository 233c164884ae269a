// Rollouts in the admin API. Free functions; control thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "process/control.h"

namespace albatross {

// All rollouts with their records, those that are open first. `only_open`: those alone, without records.
nlohmann::json rollouts_json(Control& control, bool only_open);

std::optional<RolloutControl::Verb> rollout_verb(const std::string& word);

}  // namespace albatross
