#include "cli/diff_text.h"

#include <nlohmann/json.hpp>
#include <string>

#include "cli/explain_text.h"

namespace albatross::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string quoted(const std::string& text) {
  const bool plain = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-,=") ==
                     std::string::npos;
  if (plain && !text.empty()) return text;
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// As arguments of explain, to be pasted.
std::string request_text(const Json& request) {
  std::string out = request["method"].get<std::string>() + " " + quoted(request["url"].get<std::string>());
  for (const Json& h : request["headers"]) {
    out += " -H " + quoted(h[0].get<std::string>() + ": " + h[1].get<std::string>());
  }
  if (request.contains("from")) out += " --from " + request["from"].get<std::string>();
  for (const auto& [key, option] :
       {std::pair("sni", " --sni "), std::pair("alpn", " --alpn "), std::pair("time", " --at ")}) {
    if (request.contains(key)) out += option + quoted(request[key].get<std::string>());
  }
  return out;
}

void print_routes(std::ostream& out, const Json& routes, std::uint64_t logged) {
  for (const Json& d : routes) {
    const auto requests = d["requests"].get<std::uint64_t>();
    out << "\n" << d["listener"].get<std::string>() << ": " << request_text(d["request"]) << "\n";
    if (logged != 0) {
      out << "  " << requests << " requests of the log, "
          << percent(static_cast<double>(requests) / static_cast<double>(logged)) << "\n";
    }
    for (const Json& aspect : d["changed"]) {
      const auto name = aspect.get<std::string>();
      const auto side = [&](const char* key) {
        const auto text = d[key][name].get<std::string>();
        return text.empty() ? std::string("none") : text;
      };
      out << "  " << name << std::string(10 - name.size(), ' ') << side("before") << " -> " << side("after") << "\n";
    }
  }
}

void print_parts(std::ostream& out, const char* what, const Json& parts) {
  for (const Json& name : parts["removed"]) out << what << " " << name.get<std::string>() << " is gone\n";
  for (const Json& name : parts["added"]) out << what << " " << name.get<std::string>() << " is new\n";
  for (const Json& one : parts["changed"]) {
    for (const Json& change : one["what"]) {
      out << what << " " << one["name"].get<std::string>() << ": " << change.get<std::string>() << "\n";
    }
  }
}

}  // namespace

void print_diff(std::ostream& out, const nlohmann::ordered_json& result) {
  print_parts(out, "listener", result["listeners"]);
  print_parts(out, "group", result["groups"]);
  const bool with_log = result.contains("log");
  const auto logged = with_log ? result["log"]["requests"].get<std::uint64_t>() : 0;
  print_routes(out, result["routes"], logged);
  if (result["routes"].empty()) out << "no request is handled differently\n";
  if (!with_log) return;
  const auto changed = result["log"]["changed"].get<std::uint64_t>();
  out << "\n" << changed << " of " << logged << " requests of the log are handled differently";
  if (logged != 0) out << ", " << percent(static_cast<double>(changed) / static_cast<double>(logged));
  out << "\n";
}

}  // namespace albatross::cli
