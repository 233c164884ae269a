// Requests that show differences between two rule tables: built from the conditions of both. Any thread.
#pragma once

#include <functional>

#include "config/config.h"
#include "lint/witness.h"

namespace albatross {

// Calls `ask` with each request: one for each rule, and for each rule with the values that other conditions look for.
// The same ones for the same configurations; several thousand for large tables.
void probe(const config::Listener& before, const config::Listener& after,
           const std::function<void(const Draft& draft)>& ask);

}  // namespace albatross
