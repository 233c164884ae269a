// diff: what a change of the configuration does to requests.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/explain_text.h"
#include "config/load.h"
#include "lint/diff.h"

namespace albatross::cli {
namespace {

using Json = nlohmann::ordered_json;

// The configuration of a file; nullopt, and the errors are printed. Digests depend on the name of the file, so both are
// loaded under the same `name`.
std::optional<config::Config> load(const std::string& file, const std::string& name) {
  std::string error;
  auto source = config::read_source(file, error);
  if (!source) {
    std::cerr << "albatross diff: " << error << "\n";
    return std::nullopt;
  }
  config::Diagnostics out(file, source->text);
  config::load(*source, out);
  if (!out.ok()) {
    out.print(std::cerr);
    return std::nullopt;
  }
  config::Diagnostics unused(name, source->text);
  return config::load(*source, unused);
}

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
  return out;
}

void print_routes(const Json& routes, std::uint64_t logged) {
  for (const Json& d : routes) {
    const auto requests = d["requests"].get<std::uint64_t>();
    std::cout << "\n" << d["listener"].get<std::string>() << ": " << request_text(d["request"]) << "\n";
    if (logged != 0) {
      std::cout << "  " << requests << " requests of the log, "
                << percent(static_cast<double>(requests) / static_cast<double>(logged)) << "\n";
    }
    for (const Json& aspect : d["changed"]) {
      const auto name = aspect.get<std::string>();
      const auto side = [&](const char* key) {
        const auto text = d[key][name].get<std::string>();
        return text.empty() ? std::string("none") : text;
      };
      std::cout << "  " << name << std::string(10 - name.size(), ' ') << side("before") << " -> " << side("after")
                << "\n";
    }
  }
}

void print_parts(const char* what, const Json& parts) {
  for (const Json& name : parts["removed"]) std::cout << what << " " << name.get<std::string>() << " is gone\n";
  for (const Json& name : parts["added"]) std::cout << what << " " << name.get<std::string>() << " is new\n";
  for (const Json& one : parts["changed"]) {
    for (const Json& change : one["what"]) {
      std::cout << what << " " << one["name"].get<std::string>() << ": " << change.get<std::string>() << "\n";
    }
  }
}

void print(const Json& result) {
  print_parts("listener", result["listeners"]);
  print_parts("group", result["groups"]);
  const bool with_log = result.contains("log");
  const auto logged = with_log ? result["log"]["requests"].get<std::uint64_t>() : 0;
  print_routes(result["routes"], logged);
  if (result["routes"].empty()) std::cout << "no request is handled differently\n";
  if (!with_log) return;
  const auto changed = result["log"]["changed"].get<std::uint64_t>();
  std::cout << "\n" << changed << " of " << logged << " requests of the log are handled differently";
  if (logged != 0) std::cout << ", " << percent(static_cast<double>(changed) / static_cast<double>(logged));
  std::cout << "\n";
}

}  // namespace

int diff_command(const DiffOptions& o, bool as_json) {
  const auto before = load(o.before, o.before), after = load(o.after, o.before);
  if (!before || !after) return 1;
  std::ifstream log;
  if (!o.log.empty()) {
    log.open(o.log, std::ios::binary);
    if (!log) {
      std::cerr << "albatross diff: " << o.log << ": " << std::strerror(errno) << "\n";
      return 1;
    }
  }
  config::Diagnostics out(o.after, "");
  const Json result = diff(*before, *after, o.log.empty() ? nullptr : &log, out);
  if (result.is_null()) {
    out.print(std::cerr);
    return 1;
  }
  if (as_json) {
    std::cout << result.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    print(result);
  }
  if (!o.log.empty() && result["log"]["broken"] != 0) {
    std::cerr << "albatross diff: " << o.log << ":" << result["log"]["first_broken_line"]
              << ": this is no line of an access log; lines like it are left out: " << result["log"]["broken"] << "\n";
  }
  return 0;
}

}  // namespace albatross::cli
