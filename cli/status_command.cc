#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/table.h"

namespace albatross::cli {
namespace {

using nlohmann::json;

int no_answer(const AdminReply& r) {
  std::cerr << "albatross: " << (r.status == 0 ? r.error : "status " + std::to_string(r.status) + ": " + r.body)
            << "\n";
  return 1;
}

std::string digits(const json& j, const char* key) { return std::to_string(number(j, key)); }

std::vector<Row> listener_rows(const json& listeners) {
  std::vector<Row> rows = {{"LISTENER", "ADDRESS", "PROTO", "RULES", "CONNECTIONS", "REQUESTS"}};
  for (const json& l : listeners) {
    rows.push_back({text(l, "name"), text(l, "address"), text(l, "protocol"), digits(l, "rules"),
                    digits(l, "connections"), digits(l, "requests")});
  }
  return rows;
}

// The totals of a group with more than one server.
Row total_row(const json& g) {
  std::uint64_t weight = 0;
  for (const json& server : g["servers"]) weight += number(server, "weight");
  const std::string usable = digits(g, "usable") + " of " + std::to_string(g["servers"].size()) + " usable";
  return {text(g, "name"), "total", std::to_string(weight), "  " + usable + ", " + digits(g, "requests") + " requests"};
}

std::vector<Row> group_rows(const json& groups) {
  std::vector<Row> rows = {{"GROUP", "SERVER", "WEIGHT", "  HEALTH"}};
  for (const json& g : groups) {
    for (const json& server : g["servers"]) {
      rows.push_back({text(g, "name"), text(server, "address"), digits(server, "weight"), "  " + health(server)});
    }
    if (g["servers"].empty()) rows.push_back({text(g, "name"), "(no server)"});
    if (g["servers"].size() > 1) rows.push_back(total_row(g));
    if (std::string what = trouble(g); !what.empty()) rows.push_back({text(g, "name"), "", "", "  " + what});
  }
  return rows;
}

void print(const json& s) {
  std::cout << "configuration " << number(s, "configuration") << (s.value("draining", false) ? ", draining" : "")
            << ", " << number(s, "workers") << (number(s, "workers") == 1 ? " worker" : " workers") << "\n\n";
  print_table(listener_rows(s["listeners"]), {20, 28, 8, 7, 13, 12}, 3);
  if (s["server_groups"].empty()) return;
  std::cout << "\n";
  print_table(group_rows(s["server_groups"]), {20, 28, 7}, 2);
}

}  // namespace

int status_command(const AdminTarget& admin, bool as_json) {
  AdminReply r = ask_admin(admin, "GET", "/v1/status");
  if (r.status != 200) return no_answer(r);
  if (as_json) {
    std::cout << r.body;
    return 0;
  }
  json s = json::parse(r.body, nullptr, false);
  if (s.is_discarded()) return no_answer({0, "", "the answer is not JSON"});
  print(s);
  return 0;
}

int reload_command(const AdminTarget& admin, bool as_json) {
  AdminReply r = ask_admin(admin, "POST", "/v1/reload");
  if (r.status == 0) return no_answer(r);
  json s = json::parse(r.body, nullptr, false);
  if (as_json) {
    std::cout << r.body;
  } else {
    std::string message = s.is_object() ? s.value("message", s.value("error", r.body)) : r.body;
    if (message.find("Bearer") != std::string::npos) message += ": give --token or set ALBATROSS_ADMIN_TOKEN";
    (r.status == 200 ? std::cout : std::cerr) << message << "\n";
  }
  return r.status == 200 ? 0 : 1;
}

}  // namespace albatross::cli
