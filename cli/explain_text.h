// Prints an explanation (lint/explain.h) for people: aligned, and with colours on a terminal. Main thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>

namespace albatross::cli {

// A part of 1: "3.1 %".
std::string percent(double part);

void print_explanation(std::ostream& out, const nlohmann::ordered_json& explanation, bool colours);

}  // namespace albatross::cli
