// The keys of a server group that only make sense together. Part of check().
#pragma once

#include <string>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross::config {

void check_group(const Config& config, const ServerGroup& group, const std::string& path, Diagnostics& out);

}  // namespace albatross::config
