// /metrics: the Prometheus text format 0.0.4. Names start with albatross_ and are contract (docs/operations.md). Control thread.
#pragma once

#include <string>

#include "proxy/server.h"

namespace albatross {

std::string metrics_text(Server& server);

}  // namespace albatross
