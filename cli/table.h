// Prints tables of text, and formats values of the running process's status for their cells. Free functions; main
// thread.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace albatross::cli {

using Row = std::vector<std::string>;
// Prints the rows. Columns are as wide as their widest cell, and at least as wide as in `widths`. The first `left`
// columns are aligned left, the others right. The last cell of a row may be longer.
void print_table(const std::vector<Row>& rows, std::vector<std::size_t> widths, std::size_t left);

// A member of an object; "" or 0 if it is absent.
std::string text(const nlohmann::json& j, const char* key);
std::uint64_t number(const nlohmann::json& j, const char* key);
double real(const nlohmann::json& j, const char* key);
// "healthy, draining", "unhealthy: status 500", "healthy, ejected for 12 s"
std::string health(const nlohmann::json& server);
// "circuit open", "3 waiting", or "".
std::string trouble(const nlohmann::json& group);

}  // namespace albatross::cli
