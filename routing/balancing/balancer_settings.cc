#include "routing/balancing/balancer_settings.h"

namespace albatross {

BalancerSettings balancer_settings(const config::ServerGroup& g) {
  using S = config::ServerGroup::Scheduler;
  BalancerSettings b;
  switch (*g.scheduler) {
    case S::kWrr: b.scheduler = Scheduler::kRoundRobin; break;
    case S::kWlc: b.scheduler = Scheduler::kLeastOutstanding; break;
    case S::kP2c: b.scheduler = Scheduler::kTwoChoices; break;
    default: b.scheduler = Scheduler::kHash; break;
  }
  if (g.slow_start) b.slow_start = {config::nanos(g.slow_start->window), *g.slow_start->curve};
  b.local_first = g.zone_affinity;
  if (b.scheduler == Scheduler::kHash) b.max_load = g.hash.max_load;
  b.max_requests = g.max_requests;
  for (const config::Server& s : g.servers) b.limits |= *s.max_requests != 0;
  return b;
}

}  // namespace albatross
