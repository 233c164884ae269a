// /metrics: the Prometheus text format 0.0.4. Names start with albatross_ and are contract (docs/operations.md).
// Control thread.
#pragma once

#include <string>

#include "process/control.h"

namespace albatross {

std::string metrics_text(const Control& control);

}  // namespace albatross
