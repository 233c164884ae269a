// The settings of a group's balancer, as its configuration has them. Any thread.
#pragma once

#include "config/config.h"
#include "routing/balancing/balancer.h"

namespace albatross {

BalancerSettings balancer_settings(const config::ServerGroup& group);

}  // namespace albatross
