// The counters by which a rollout can be judged: those of a server group that tell of failures and waits. Any thread.
#pragma once

#include <string>
#include <vector>

namespace albatross::config {

// Names of metrics, sorted. process/rollout reads their values.
const std::vector<std::string>& rollout_metrics();

}  // namespace albatross::config
