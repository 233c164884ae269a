// Tables of text, and what cells of the running process's status have in common.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace albatross::cli {

using Row = std::vector<std::string>;
// Columns as wide as their widest cell and at least as `widths` asks; those right of `left` of them are numbers, and
// the last may be as long as it likes.
void print_table(const std::vector<Row>& rows, std::vector<std::size_t> widths, std::size_t left);

// Members of an object; "" and 0 where they are absent.
std::string text(const nlohmann::json& j, const char* key);
std::uint64_t number(const nlohmann::json& j, const char* key);
double real(const nlohmann::json& j, const char* key);
// "healthy, draining", "unhealthy: status 500", "healthy, ejected for 12 s"
std::string health(const nlohmann::json& server);
// "circuit open", "3 waiting", or "".
std::string trouble(const nlohmann::json& group);

}  // namespace albatross::cli
