// rollout: a client of the admin API.
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/timestamp.h"
#include "cli/commands.h"
#include "cli/control_reply.h"

namespace albatross::cli {
namespace {

using nlohmann::json;

std::string milliseconds(double seconds) { return duration_text(static_cast<Nanos>(seconds * 1e9)); }

void print_arm(const char* what, const json& a) {
  const auto requests = a.value("requests", std::uint64_t{0}), failures = a.value("failures", std::uint64_t{0});
  const double percent = requests == 0 ? 0 : 100.0 * static_cast<double>(failures) / static_cast<double>(requests);
  std::cout << "  " << what << requests << " requests, " << failures << " failed ("
            << json(std::round(percent * 100) / 100).dump() << " %), p99 " << milliseconds(a.value("p99", 0.0)) << "\n";
}

void print_one(const json& r) {
  const std::string phase = r.value("phase", "");
  std::cout << r.value("rule", "") << " to " << r.value("to", "") << ": " << phase << " at " << r.value("percent", 0)
            << " %";
  if (r.contains("steps")) {
    std::cout << ", step " << r.value("step", 0) << " of " << r["steps"].size() << " since "
              << r.value("step_began", "");
  }
  std::cout << "\n";
  if (r.contains("new")) {
    print_arm("new     ", r["new"]);
    print_arm("others  ", r["old"]);
  }
  for (const json& e : r.value("record", json::array())) {
    std::cout << "  " << e.value("time", "") << "  " << e.value("decided", "") << ": " << e.value("seen", "") << "\n";
    if (const std::string done = e.value("done", ""); !done.empty()) {
      std::cout << "                               " << done << "\n";
    }
  }
}

int status(const AdminTarget& admin, const std::string& rule, bool as_json) {
  const AdminReply r = ask_admin(admin, "GET", "/v1/rollouts", "");
  json all = json::parse(r.body, nullptr, false);
  if (r.status != 200 || !all.is_array()) {
    std::cerr << "albatross rollout: " << error_text(r) << "\n";
    return 1;
  }
  if (!rule.empty()) {
    json of_rule = json::array();
    for (const json& one : all) {
      if (one.value("rule", "") == rule) of_rule.push_back(one);
    }
    all = std::move(of_rule);
  }
  if (as_json) {
    std::cout << all.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
    return 0;
  }
  if (all.empty()) std::cout << "no rollout" << (rule.empty() ? "" : " of " + rule) << " was started\n";
  for (const json& one : all) print_one(one);
  return 0;
}

}  // namespace

int rollout_command(const AdminTarget& admin, const std::string& verb, const std::string& rule, bool dry_run,
                    bool as_json) {
  if (verb == "status") return status(admin, rule, as_json);
  std::string listener, name;
  if (!split_name(rule, listener, name)) {
    std::cerr << "albatross rollout " << verb << ": " << (rule.empty() ? "which rule?" : rule + " is not a rule;")
              << " write LISTENER/RULE\n";
    return 2;
  }
  const std::string path = "/v1/listeners/" + encoded_segment(listener) + "/rules/" + encoded_segment(name) +
                           "/rollout/" + verb + (dry_run ? "?dry_run" : "");
  return print_reply(ask_admin(admin, "POST", path, ""), as_json);
}

}  // namespace albatross::cli
