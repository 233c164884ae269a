// The text of /metrics, in the Prometheus format 0.0.4. The names start with albatross_ and are part of the contract
// (docs/operations.md). Free function; control thread.
#pragma once

#include <string>

#include "process/control.h"

namespace albatross {

std::string metrics_text(const Control& control);

}  // namespace albatross
