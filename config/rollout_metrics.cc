#include "config/rollout_metrics.h"

namespace albatross::config {

const std::vector<std::string>& rollout_metrics() {
  static const std::vector<std::string> names = {"albatross_circuit_opened_total",
                                                 "albatross_circuit_refused_total",
                                                 "albatross_no_server_total",
                                                 "albatross_queue_refused_total",
                                                 "albatross_queue_timeouts_total",
                                                 "albatross_queued_total",
                                                 "albatross_upstream_connect_failures_total",

                                                 "albatross_upstream_retries_over_budget_total",
                                                 "albatross_upstream_retries_total"};
  return names;
}

}  // namespace albatross::config
