// The command top: what the running process does now, from the difference of two readings of its status.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/table.h"

namespace albatross::cli {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct Look {
  json status;
  Clock::time_point at;
};

bool look(const AdminTarget& admin, Look& out) {
  AdminReply r = ask_admin(admin, "GET", "/v1/status");
  out.at = Clock::now();
  out.status = r.status == 200 ? json::parse(r.body, nullptr, false) : json();
  if (out.status.is_object()) return true;
  std::cerr << "albatross: " << error_text(r) << "\n";
  return false;
}

const json* find(const json& list, const char* key, const std::string& name) {
  for (const json& one : list) {
    if (text(one, key) == name) return &one;
  }
  return nullptr;
}

// How much `now` has grown since `before`; all of it if `before` is of another process.
double since(const json& now, const json* before, const char* key) {
  double old = before != nullptr ? real(*before, key) : real(now, key);
  return real(now, key) >= old ? real(now, key) - old : real(now, key);
}

std::string fixed(double value, int digits) {
  char out[32];
  std::snprintf(out, sizeof out, "%.*f", digits, value);
  return out;
}

json rates_of_server(const json& server, const json* before, double seconds) {
  json out{{"address", text(server, "address")},
           {"weight", number(server, "weight")},
           {"in_flight", number(server, "in_flight")},
           {"connections", number(server, "connections")},
           {"state", health(server)}};
  out["requests_per_second"] = since(server, before, "requests") / seconds;
  out["failures_per_second"] = since(server, before, "failures") / seconds;
  const json none = json::object();
  const json& classes = server.contains("responses") ? server["responses"] : none;
  const json* old = before != nullptr && before->contains("responses") ? &(*before)["responses"] : nullptr;
  for (const char* c : {"2xx", "3xx", "4xx", "5xx"}) out[c] = since(classes, old, c) / seconds;
  double answers = since(server, before, "answers");
  out["response_time"] = answers > 0 ? since(server, before, "response_time_sum") / answers : 0.0;
  return out;
}

json rates(const Look& before, const Look& now) {
  const double seconds = std::max(0.001, std::chrono::duration<double>(now.at - before.at).count());
  json out{{"seconds", seconds},
           {"configuration", number(now.status, "configuration")},
           {"draining", now.status.value("draining", false)},
           {"listeners", json::array()},
           {"server_groups", json::array()}};
  for (const json& l : now.status["listeners"]) {
    const json* old = find(before.status["listeners"], "name", text(l, "name"));
    out["listeners"].push_back({{"name", text(l, "name")},
                                {"address", text(l, "address")},
                                {"connections", number(l, "connections")},
                                {"requests_per_second", since(l, old, "requests") / seconds}});
  }
  for (const json& g : now.status["server_groups"]) {
    const json* old = find(before.status["server_groups"], "name", text(g, "name"));
    json group{{"name", text(g, "name")}, {"trouble", trouble(g)}, {"servers", json::array()}};
    group["without_address"] = g.value("without_address", json::array());
    for (const json& s : g["servers"]) {
      const json* was = old != nullptr ? find((*old)["servers"], "address", text(s, "address")) : nullptr;
      group["servers"].push_back(rates_of_server(s, was, seconds));
    }
    out["server_groups"].push_back(std::move(group));
  }
  return out;
}

void print(const json& r, bool on_terminal) {
  if (on_terminal) std::cout << "\033[H\033[2J";
  std::cout << "configuration " << number(r, "configuration") << (r.value("draining", false) ? ", draining" : "")
            << ", over " << fixed(real(r, "seconds"), 1) << " s\n\n";
  std::vector<Row> rows = {{"LISTENER", "ADDRESS", "CONNECTIONS", "REQUESTS/S"}};
  for (const json& l : r["listeners"]) {
    rows.push_back({text(l, "name"), text(l, "address"), std::to_string(number(l, "connections")),
                    fixed(real(l, "requests_per_second"), 0)});
  }
  print_table(rows, {20, 28, 13, 12}, 2);
  rows = {{"GROUP", "SERVER", "WEIGHT", "REQUESTS/S", "4XX/S", "5XX/S", "FAILED/S", "IN FLIGHT", "MS", "CONNECTIONS",
           "  STATE"}};
  for (const json& g : r["server_groups"]) {
    for (const json& s : g["servers"]) {
      rows.push_back({text(g, "name"), text(s, "address"), std::to_string(number(s, "weight")),
                      fixed(real(s, "requests_per_second"), 0), fixed(real(s, "4xx"), 1), fixed(real(s, "5xx"), 1),
                      fixed(real(s, "failures_per_second"), 1), std::to_string(number(s, "in_flight")),
                      fixed(real(s, "response_time") * 1000, 1), std::to_string(number(s, "connections")),
                      "  " + text(s, "state")});
    }
    for (const json& name : g["without_address"]) {
      rows.push_back({text(g, "name"), name.get<std::string>() + ": no address yet"});
    }
    if (!text(g, "trouble").empty()) rows.push_back({text(g, "name"), text(g, "trouble")});
  }
  std::cout << "\n";
  print_table(rows, {20, 28, 7, 12, 8, 8, 10, 11, 8, 13}, 2);
  std::cout << std::endl;
}

}  // namespace

int top_command(const AdminTarget& admin, const TopOptions& o, bool as_json) {
  const bool on_terminal = !as_json && ::isatty(STDOUT_FILENO) == 1;
  Look before, now;
  if (!look(admin, before)) return 1;
  for (int shown = 0; o.count == 0 || shown < o.count; ++shown) {
    std::this_thread::sleep_for(std::chrono::duration<double>(o.interval));
    if (!look(admin, now)) return 1;
    json r = rates(before, now);
    if (as_json) {
      std::cout << r.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
    } else {
      print(r, on_terminal);
    }
    if (!std::cout) return 0;  // the reader has closed the pipe
    before = std::move(now);
  }
  return 0;
}

}  // namespace albatross::cli
