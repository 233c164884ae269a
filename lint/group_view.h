// A server group as explain shows it, from its balancer. Any thread, as far as the slots allow.
#pragma once

#include "lint/explain.h"

namespace albatross {

// What the balancer of these candidates would do now. `zones`: of the candidates, by index. `random` may be of any
// seed.
GroupView view_of(const BalancerSettings& settings, const std::string& scheduler, GroupSlot& group,
                  std::vector<Candidate> candidates, std::shared_ptr<const HashTable> table,
                  const std::vector<std::string>& zones, bool fail_open, Nanos now);

// "wrr"
std::string scheduler_name(config::ServerGroup::Scheduler scheduler);

}  // namespace albatross
