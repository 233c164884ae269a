// Requests that show differences between two rule tables: built from the conditions of both. Any thread.
#pragma once

#include <functional>

#include "config/config.h"
#include "lint/witness.h"

namespace albatross {

// Calls `ask` with each request. For tables of a usual size these are all that their rules can tell apart: each value
// of each part of a request with each of the others. For larger ones they are some thousand, most of them about the
// rules that have changed. The same ones for the same configurations.
void probe(const config::Listener& before, const config::Listener& after,
           const std::function<void(const Draft& draft)>& ask);

}  // namespace albatross
