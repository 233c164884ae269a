// Prints an explanation (lint/explain.h) for people: aligned, and with colours on a terminal. Main thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>

namespace albatross::cli {

void print_explanation(std::ostream& out, const nlohmann::ordered_json& explanation, bool colours);

}  // namespace albatross::cli
