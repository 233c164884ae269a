#include "tests/support/setup.h"

#include <sstream>

namespace albatross::test {

std::string indented(const std::string& text, std::size_t by) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += std::string(by, ' ') + line + "\n";
  return out;
}

std::string Setup::yaml() const {
  std::string out = "listeners:\n  - name: web\n    bind: \"" + bind + "\"\n    protocol: " + protocol + "\n";
  out += indented(listener, 4);
  out += "    default_actions:\n" + indented(actions, 6);
  if (!servers.empty() || !groups.empty()) out += "server_groups:\n";
  if (!servers.empty()) {
    out += "  - name: app\n    servers:\n";
    for (const std::string& s : servers) out += "      - {address: \"" + s + "\"}\n";
    out += indented(group, 4);
  }
  out += indented(groups, 2);
  if (log) out += "access_log: {path: access.log}\n";
  if (top.find("shutdown:") == std::string::npos) out += "shutdown: {drain: 1s}\n";
  if (top.find("workers:") == std::string::npos) out += "workers: " + std::to_string(workers) + "\n";
  return out + top + (top.empty() ? "" : "\n");
}

}  // namespace albatross::test
