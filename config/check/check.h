// What no single key can tell: names that must be unique or exist, and keys that only make sense together.
#pragma once

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross::config {

// The tree as decoded: rules in the order written, rule sets not yet copied. Keys whose own error is reported already
// are passed over.
void check(const Config& config, Diagnostics& out);

}  // namespace albatross::config
