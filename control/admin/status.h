// What /v1/status says: listeners, groups, servers, as JSON. Control thread.
#pragma once

#include <string>
#include <vector>

#include "process/process.h"

namespace albatross {

std::string status_json(Process& server);
// A part of it, by its path: {"server_groups"}, {"server_groups", "blue", "servers", "10.0.0.1:80"}, {"listeners",
// "web"}. "": there is no such thing.
std::string status_part(Process& server, const std::vector<std::string>& path);

}  // namespace albatross
