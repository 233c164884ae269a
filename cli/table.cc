#include "cli/table.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

namespace albatross::cli {

using nlohmann::json;

void print_table(const std::vector<Row>& rows, std::vector<std::size_t> widths, std::size_t left) {
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size() + 2);
    }
  }
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool padded = i < widths.size() && (i >= left || i + 1 < row.size());
      const int width = padded ? static_cast<int>(widths[i]) : 0;
      std::cout << (i < left ? std::left : std::right) << std::setw(width) << row[i];
    }
    std::cout << "\n";
  }
}

std::string text(const json& j, const char* key) {
  return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : "";
}

std::uint64_t number(const json& j, const char* key) {
  return j.contains(key) && j[key].is_number() ? j[key].get<std::uint64_t>() : 0;
}

double real(const json& j, const char* key) { return j.contains(key) && j[key].is_number() ? j[key].get<double>() : 0; }

std::string health(const json& server) {
  std::string out = text(server, "health");
  if (server.value("draining", false)) out += server.value("drained", false) ? ", drained" : ", draining";
  if (server.contains("ejected")) {
    out += ", ejected for another " + std::to_string(number(server, "ejected") + 1) + " s: " + text(server, "ejection");
  }
  if (server.contains("slow_start")) {
    out += ", slow start at " + std::to_string(static_cast<int>(real(server, "slow_start") * 100)) + " %";
  }
  if (!text(server, "last_failure").empty()) out += ": " + text(server, "last_failure");
  return out;
}

std::string trouble(const json& group) {
  std::string out;
  if (group.value("fail_open", false))
    out = "no server is healthy: requests go to all servers that do not drain (fail_open)";
  if (group.value("no_server", false)) out = "no server takes requests: requests get 503";
  if (group.contains("circuit_open")) out += std::string(out.empty() ? "" : ", ") + "circuit open";
  if (number(group, "waiting") > 0)
    out += (out.empty() ? "" : ", ") + std::to_string(number(group, "waiting")) + " waiting";
  return out;
}

}  // namespace albatross::cli
