// Whether conditions imply one another: what one rule takes from those behind it. Errs on the side of "no", so that a
// lint that goes by it raises no false alarm. Any thread.
#pragma once

#include "config/config.h"

namespace albatross {

// Whether every request that meets `narrow` meets `wide`.
bool implies(const config::Condition& narrow, const config::Condition& wide);
// Whether every request that matches the rule `narrow` matches `wide`.
bool implies(const config::Rule& narrow, const config::Rule& wide);
// Whether no request can meet both, as far as their kind shows it.
bool exclude_each_other(const config::Condition& a, const config::Condition& b);

}  // namespace albatross
