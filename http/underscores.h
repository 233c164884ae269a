// Fields whose names have a `_`. Some servers read it as a `-`, so that `X_Forwarded_For` could say what only the proxy
// may say. Pure functions; any thread.
#pragma once

#include <span>
#include <string>

#include "http/head.h"

namespace albatross {

// What is done with such fields of requests; config::Underscores has the meanings.
enum class Underscores : std::uint8_t { kProtect, kPass, kDrop };

// Whether the name has a `_` and with `-` for it is a field that the proxy sets, strips or frames messages by.
bool imitates_known(std::string_view name);

// Marks what is to be dropped as removed and returns how many fields that are. `read`: the names that rules read or
// edit, as far as they have no `_`: in lower case and sorted.
std::uint32_t drop_underscored(Underscores how, std::span<const std::string> read, Fields& fields);

}  // namespace albatross
