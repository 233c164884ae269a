// Checks what no single key can show: names that must be unique or must exist, and keys that belong together. Any
// thread.
#pragma once

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross::config {

// `config` as decoded: rules in the order in which they are written, rule sets not copied yet. Skips keys whose own
// error is reported already.
void check(const Config& config, Diagnostics& out);

}  // namespace albatross::config
