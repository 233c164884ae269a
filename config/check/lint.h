// Warns of what works but is probably not meant. Some of it is about what is absent, so the configuration must be free
// of errors. Any thread.
#pragma once

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross::config {

// `config` as decoded, as for check().
void lint(const Config& config, Diagnostics& out);

}  // namespace albatross::config
