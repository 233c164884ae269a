// POST /v1/explain: what the running process would do with a request. Free function; control thread.
#pragma once

#include <string>

#include "control/admin/verbs.h"
#include "process/control.h"
#include "proxy/asked.h"

namespace albatross {

// `body`: {"method", "url", "headers": [[name, value]], "from", "listener"}, of which only "url" must be there. The
// reply is lint/explain.h's, with the weights that operators have set and the servers as they are now.
ControlReply explain_live(const Control& control, const std::string& body);

// The line of the event log for a request that asked: its id, and the explanation as JSON.
std::string explained(const Control& control, const AskedRequest& asked);

}  // namespace albatross
