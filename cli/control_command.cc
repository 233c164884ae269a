// weight, drain, undrain: clients of the admin API.
#include <cctype>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/timestamp.h"
#include "cli/commands.h"
#include "cli/control_reply.h"

namespace albatross::cli {
namespace {

using nlohmann::json;

int usage(const std::string& command, const std::string& why) {
  std::cerr << "albatross " << command << ": " << why << "\n";
  return 2;
}

// Parses "GROUP=W"; or, if not `named`, "W" alone.
bool parse_weight(const std::string& text, json& into, bool named) {
  std::size_t equals = text.rfind('=');
  if (named == (equals == std::string::npos)) return false;
  std::string number = named ? text.substr(equals + 1) : text;
  if (number.empty() || number.size() > 5 || number.find_first_not_of("0123456789") != std::string::npos) return false;
  into[named ? text.substr(0, equals) : "weight"] = std::stoi(number);
  return true;
}

}  // namespace

std::string encoded_segment(const std::string& text) {
  static const char* digits = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-' || c == ':') {
      out += c;
    } else {
      out += '%';
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

bool split_name(const std::string& text, std::string& first, std::string& second) {
  std::size_t slash = text.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == text.size()) return false;
  first = text.substr(0, slash);
  second = text.substr(slash + 1);
  return true;
}

int print_reply(const AdminReply& r, bool as_json) {
  if (r.status == 0) {
    std::cerr << "albatross: " << error_text(r) << "\n";
    return 1;
  }
  json s = json::parse(r.body, nullptr, false);
  if (as_json) {
    std::cout << r.body;
  } else if (r.status != 200 || !s.is_object()) {
    std::cerr << "albatross: " << error_text(r) << "\n";
  } else {
    std::cout << (s.value("dry_run", false) ? "would be: " : "") << s.value("message", "") << "\n";
    for (const json& w : s["warnings"]) std::cerr << "warning: " << w.get<std::string>() << "\n";
    if (s.contains("report")) {
      const json& d = s["report"];
      std::cout << d.value("finished", 0) << " finished, " << d.value("moved", 0)
                << " moved, cut: " << d["cut"].value("http", 0) << " http, " << d["cut"].value("websocket", 0)
                << " websocket, " << d["cut"].value("grpc", 0) << " grpc; the last ended after "
                << duration_text(static_cast<Nanos>(d.value("longest", 0.0) * 1e9)) << "\n";
    }
  }
  return r.status == 200 ? 0 : 1;
}

int weight_command(const AdminTarget& admin, const WeightOptions& o, bool dry_run, bool as_json) {
  std::string first, second;
  if (!split_name(o.what, first, second)) return usage("weight", o.what + " is neither LISTENER/RULE nor GROUP/SERVER");
  json body = json::object();
  bool is_rule = !o.weights.empty() && o.weights[0].find('=') != std::string::npos;
  for (const std::string& w : o.weights) {
    if (!parse_weight(w, body, is_rule))
      return usage("weight", w + " is not a weight: GROUP=0 to GROUP=10000 for a rule, 0 to 10000 for a server");
  }
  if (o.reset && !o.weights.empty())
    return usage("weight", "--reset takes no weight: it restores the weights of the configuration file");
  if (!o.reset && o.weights.empty())
    return usage("weight", "no weight given: GROUP=5 … for a rule, a number for a server");
  if (!is_rule && !o.reset && o.weights.size() > 1) return usage("weight", "a server takes one weight");
  std::string query = std::string(o.reset ? "?reset" : "") + (dry_run ? (o.reset ? "&dry_run" : "?dry_run") : "");
  std::string rule =
      "/v1/listeners/" + encoded_segment(first) + "/rules/" + encoded_segment(second) + "/weights" + query;
  std::string server =
      "/v1/server_groups/" + encoded_segment(first) + "/servers/" + encoded_segment(second) + "/weight" + query;
  // A reset has no weights to tell a rule from a server. Servers' addresses have a port or a path, with a colon; rules'
  // names have none.
  if (o.reset) is_rule = second.find(':') == std::string::npos;
  return print_reply(ask_admin(admin, "POST", is_rule ? rule : server, body.dump()), as_json);
}

namespace {

// The path of GROUP/SERVER or of LISTENER in the API.
std::string drain_path(const std::string& what) {
  std::string group, server;
  if (split_name(what, group, server))
    return "/v1/server_groups/" + encoded_segment(group) + "/servers/" + encoded_segment(server);
  return what.find('/') == std::string::npos ? "/v1/listeners/" + encoded_segment(what) : "";
}

}  // namespace

int drain_command(const AdminTarget& admin, const DrainOptions& o, bool dry_run, bool as_json) {
  std::string target = drain_path(o.what);
  if (target.empty()) return usage("drain", o.what + " is neither GROUP/SERVER nor LISTENER");
  target += "/drain?";
  if (o.wait) target += "wait&";
  if (dry_run) target += "dry_run&";
  if (!o.timeout.empty()) target += "timeout=" + encoded_segment(o.timeout);
  return print_reply(ask_admin(admin, "POST", target, ""), as_json);
}

int undrain_command(const AdminTarget& admin, const std::string& what, bool dry_run, bool as_json) {
  std::string target = drain_path(what);
  if (target.empty()) return usage("undrain", what + " is neither GROUP/SERVER nor LISTENER");
  return print_reply(ask_admin(admin, "POST", target + (dry_run ? "/undrain?dry_run" : "/undrain"), ""), as_json);
}

}  // namespace albatross::cli
