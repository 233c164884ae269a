// Fields whose names have a `_`. Some servers read it as a `-`, so that `X_Forwarded_For` could say what only the proxy
// may say. Pure functions; any thread.
#pragma once

#include <span>
#include <string>

#include "http/head.h"

namespace albatross {

// The treatment of such fields of requests; config::Underscores has the meanings.
enum class Underscores : std::uint8_t { kProtect, kPass, kDrop };

// Whether the name has a `_` and, with `-` for it, is the name of a field that the proxy sets, strips or uses for
// framing.
bool imitates_known(std::string_view name);

// Marks the fields to be dropped as removed and returns their number. `read`: the names without a `_` that rules read
// or edit, in lower case and sorted.
std::uint32_t drop_underscored(Underscores how, std::span<const std::string> read, Fields& fields);

}  // namespace albatross
