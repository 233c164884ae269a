// The JSON of /v1/status: listeners, groups, servers. Free functions; control thread.
#pragma once

#include <string>
#include <vector>

#include "process/control.h"

namespace albatross {

std::string status_json(Control& control);
// A part of the status, by its path: {"server_groups"}, {"server_groups", "blue", "servers", "10.0.0.1:80"},
// {"listeners", "web"}. Empty if there is no such part.
std::string status_part(Control& control, const std::vector<std::string>& path);

}  // namespace albatross
