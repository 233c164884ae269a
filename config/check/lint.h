// What can run and is probably not meant: warnings that need to know what is absent, so the tree must be free of
// errors.
#pragma once

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross::config {

// The tree as decoded, as for check (config/check/check.h).
void lint(const Config& config, Diagnostics& out);

}  // namespace albatross::config
