// The verbs under /v1/ that change the running process, and the journal of changes. Free functions; control thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "process/control.h"

namespace albatross {

struct ControlReply {
  int status = 200;
  std::string body;                      // JSON
  std::function<void()> sent = nullptr;  // to be called when the reply has been sent or cannot be sent
};

// Runs the verb of `target`, which includes the query. Calls `done` with the reply, at once or, for drain?wait, when
// the drain is over. False if there is no such path.
bool run_verb(Control& control, const std::string& target, const std::string& body,
              std::function<void(ControlReply)> done);

// "/v1/a%2Fb/c" is {"v1", "a/b", "c"}.
std::vector<std::string> path_segments(std::string_view path);

// GET /v1/journal.
std::string journal_json(const Control& control);

}  // namespace albatross
