// Warns of settings that work but are probably not intended. Some warnings are about absent keys, so the configuration
// must be free of errors. Any thread.
#pragma once

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross::config {

// `config` as decoded, as for check().
void lint(const Config& config, Diagnostics& out);

}  // namespace albatross::config
