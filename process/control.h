// What an operator may do to the running process, and how it went. See Server.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "proxy/drain.h"

namespace albatross {

struct ControlResult {
  enum class Code : std::uint8_t { kDone, kNotFound, kRefused };
  Code code = Code::kDone;
  std::string message;  // what was done, or would be; or why not and what is there instead
  std::vector<std::string> warnings;
  bool ok() const { return code == Code::kDone; }
};

// What was asked for is not there; `known` is.
ControlResult not_found(std::string what, const std::vector<std::string>& known);

// A change at runtime, for the journal.
struct JournalEntry {
  Nanos wall = 0;
  std::string what;
};

// The last drain of a server, or the one under way.
struct DrainStatus {
  bool over = false;
  Nanos began_wall = 0;
  std::shared_ptr<ServerSlot> slot;
  DrainReport report;
};

}  // namespace albatross
