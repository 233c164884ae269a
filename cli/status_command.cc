#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/admin_client.h"
#include "cli/commands.h"

namespace albatross::cli {
namespace {

using nlohmann::json;

int no_answer(const AdminReply& r) {
  std::cerr << "albatross: " << (r.status == 0 ? r.error : "status " + std::to_string(r.status) + ": " + r.body) << "\n";
  return 1;
}

std::string text(const json& j, const char* key) { return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : ""; }
std::uint64_t number(const json& j, const char* key) { return j.contains(key) && j[key].is_number() ? j[key].get<std::uint64_t>() : 0; }

void print(const json& s) {
  std::cout << "configuration " << number(s, "configuration") << (s.value("draining", false) ? ", draining" : "") << ", "
            << number(s, "workers") << " workers\n\n";
  std::cout << std::left << std::setw(20) << "LISTENER" << std::setw(28) << "ADDRESS" << std::setw(8) << "PROTO" << std::right
            << std::setw(7) << "RULES" << std::setw(13) << "CONNECTIONS" << std::setw(12) << "REQUESTS" << "\n";
  for (const json& l : s["listeners"]) {
    std::cout << std::left << std::setw(20) << text(l, "name") << std::setw(28) << text(l, "address") << std::setw(8) << text(l, "protocol")
              << std::right << std::setw(7) << number(l, "rules") << std::setw(13) << number(l, "connections") << std::setw(12)
              << number(l, "requests") << "\n";
  }
  std::cout << "\n" << std::left << std::setw(20) << "GROUP" << std::setw(28) << "SERVER" << std::right << std::setw(7) << "WEIGHT" << "  HEALTH\n";
  for (const json& g : s["server_groups"]) {
    for (const json& v : g["servers"]) {
      std::cout << std::left << std::setw(20) << text(g, "name") << std::setw(28) << text(v, "address") << std::right << std::setw(7)
                << number(v, "weight") << "  " << text(v, "health");
      if (v.value("draining", false)) std::cout << ", draining";
      if (!text(v, "last_failure").empty()) std::cout << ": " << text(v, "last_failure");
      std::cout << "\n";
    }
    if (g["servers"].empty()) std::cout << std::left << std::setw(20) << text(g, "name") << "(no server)\n";
    if (g.value("fail_open", false)) std::cout << std::setw(20) << "" << "no server is healthy: all of them get traffic\n";
  }
}

}  // namespace

int status_command(const std::string& admin, bool as_json) {
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

int reload_command(const std::string& admin, bool as_json) {
  AdminReply r = ask_admin(admin, "POST", "/v1/reload");
  if (r.status == 0) return no_answer(r);
  json s = json::parse(r.body, nullptr, false);
  if (as_json) {
    std::cout << r.body;
  } else {
    (r.status == 200 ? std::cout : std::cerr) << (s.is_object() ? s.value("message", s.value("error", r.body)) : r.body) << "\n";
  }
  return r.status == 200 ? 0 : 1;
}

}  // namespace albatross::cli
