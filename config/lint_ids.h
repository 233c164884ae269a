// The ids of the lints (lint/lints.h), which `lints` in the file names. Sorted; any thread.
#pragma once

#include <string>
#include <vector>

namespace albatross::config {

const std::vector<std::string>& lint_ids();

}  // namespace albatross::config
