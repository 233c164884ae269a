// diff: what a change of the configuration does to requests.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/diff_text.h"
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
    print_diff(std::cout, result);
  }
  if (!o.log.empty() && result["log"]["broken"] != 0) {
    std::cerr << "albatross diff: " << o.log << ":" << result["log"]["first_broken_line"]
              << ": this is no line of an access log; lines like it are left out: " << result["log"]["broken"] << "\n";
  }
  return 0;
}

}  // namespace albatross::cli
