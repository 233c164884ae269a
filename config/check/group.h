// Checks the keys of a server group that belong together. Part of check().
#pragma once

#include <string>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross::config {

// `path` names the group: "server_groups[1]".
void check_group(const Config& config, const ServerGroup& group, const std::string& path, Diagnostics& out);

}  // namespace albatross::config
