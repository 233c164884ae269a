// What /v1/status says: listeners, groups, servers, as JSON. Control thread.
#pragma once

#include <string>

#include "proxy/server.h"

namespace albatross {

std::string status_json(Server& server);

}  // namespace albatross
