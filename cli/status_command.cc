#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/diff_text.h"
#include "cli/table.h"

namespace albatross::cli {
namespace {

using nlohmann::json;

int no_answer(const AdminReply& r) {
  std::cerr << "albatross: " << error_text(r) << "\n";
  return 1;
}

std::string date(double seconds) {
  return std::string(Timestamp().text(static_cast<Nanos>(seconds) * kSecond).substr(0, 19)) + "Z";
}

// "2027-01-31T06:00:00Z, in 64 days"
std::string expiry(double seconds) {
  const double left = seconds - static_cast<double>(std::time(nullptr));
  if (left < 0) return date(seconds) + ", expired";
  return date(seconds) + ", in " + std::to_string(static_cast<long>(left / 86400)) + " days";
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
    for (const json& name : g.value("without_address", json::array())) {
      rows.push_back({text(g, "name"), name.get<std::string>(), "", "  no address yet"});
    }
    if (g["servers"].empty() && !g.contains("without_address")) rows.push_back({text(g, "name"), "(no server)"});
    if (g["servers"].size() > 1) rows.push_back(total_row(g));
    if (std::string what = trouble(g); !what.empty()) rows.push_back({text(g, "name"), "", "", "  " + what});
  }
  return rows;
}

// "3 (file: 5)"
std::string weight_text(const json& w) {
  std::string out = digits(w, "weight");
  if (w.contains("file_weight")) out += " (file: " + digits(w, "file_weight") + ")";
  return out;
}

std::vector<Row> rule_rows(const json& listeners) {
  std::vector<Row> rows = {{"RULE", "GROUP", "WEIGHT"}};
  for (const json& l : listeners) {
    const json rules = l.value("weights", json::object());
    for (const auto& [rule, groups] : rules.items()) {
      for (const auto& [group, weight] : groups.items()) rows.push_back({rule, group, weight_text(weight)});
    }
  }
  return rows;
}

std::vector<Row> rollout_rows(const json& rollouts) {
  std::vector<Row> rows = {{"ROLLOUT", "TO", "SHARE", "REQUESTS", "FAILED", "  STATE"}};
  for (const json& r : rollouts) {
    const json& arm = r["new"];
    rows.push_back(
        {text(r, "rule"), text(r, "to"), digits(r, "percent") + " %", digits(arm, "requests"), digits(arm, "failures"),
         "  " + text(r, "phase") + ", step " + digits(r, "step") + " of " + std::to_string(r["steps"].size())});
  }
  return rows;
}

std::vector<Row> certificate_rows(const json& listeners) {
  std::vector<Row> rows = {{"CERTIFICATE OF", "FILE", "EXPIRES"}};
  for (const json& l : listeners) {
    for (const json& c : l.value("certificates", json::array())) {
      rows.push_back({text(l, "name"), text(c, "file"), expiry(real(c, "not_after"))});
    }
  }
  return rows;
}

void print_reload(const json& s) {
  for (const json& key : s.value("needs_restart", json::array())) {
    std::cout << "needs a restart: " << key.get<std::string>() << " differs from the value in the running process\n";
  }
  if (!s.contains("last_reload")) return;
  const json& last = s["last_reload"];
  std::cout << "last reload " << date(real(last, "time")) << (last.value("ok", false) ? "" : " failed") << ": "
            << text(last, "message") << "\n";
}

void print(const json& s) {
  std::cout << "albatross " << text(s, "version") << " (" << text(s, "commit") << "), process " << digits(s, "process")
            << ", configuration " << number(s, "configuration") << (s.value("draining", false) ? ", draining" : "")
            << ", " << number(s, "workers") << (number(s, "workers") == 1 ? " worker" : " workers") << "\n";
  print_reload(s);
  std::cout << "\n";
  print_table(listener_rows(s["listeners"]), {20, 28, 8, 7, 13, 12}, 3);
  const auto more = [](const std::vector<Row>& rows, const std::vector<std::size_t>& widths, std::size_t left) {
    if (rows.size() < 2) return;
    std::cout << "\n";
    print_table(rows, widths, left);
  };
  more(group_rows(s["server_groups"]), {20, 28, 7}, 2);
  more(rule_rows(s["listeners"]), {20, 28}, 3);
  more(rollout_rows(s.value("rollouts", json::array())), {20, 28, 7, 8, 7}, 2);
  more(certificate_rows(s["listeners"]), {20, 28}, 3);
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

int reload_command(const AdminTarget& admin, bool dry_run, bool as_json) {
  AdminReply r = ask_admin(admin, "POST", dry_run ? "/v1/reload?dry_run" : "/v1/reload");
  if (r.status == 0) return no_answer(r);
  if (dry_run && r.status == 200 && !as_json) {
    print_diff(std::cout, nlohmann::ordered_json::parse(r.body)["diff"]);
    return 0;
  }
  json s = json::parse(r.body, nullptr, false);
  if (as_json) {
    std::cout << r.body;
  } else {
    const std::string message = s.is_object() && s.contains("message") ? text(s, "message") : error_text(r);
    (r.status == 200 ? std::cout : std::cerr) << message << "\n";
  }
  return r.status == 200 ? 0 : 1;
}

}  // namespace albatross::cli
