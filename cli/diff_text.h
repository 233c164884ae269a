// Prints a difference of two configurations (lint/diff.h) for people. Main thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>

namespace albatross::cli {

void print_diff(std::ostream& out, const nlohmann::ordered_json& result);

}  // namespace albatross::cli
