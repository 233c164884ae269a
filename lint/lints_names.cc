// Names that resolve nowhere, asked of this machine's resolver. Blocks.
#include <netdb.h>
#include <sys/socket.h>

#include <map>

#include "config/diagnostics.h"
#include "lint/lints.h"

namespace albatross {
namespace {

// Why the name has no address; empty if it has one.
std::string why_not(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (found != nullptr) freeaddrinfo(found);
  return error == 0 ? "" : gai_strerror(error);
}

}  // namespace

void lint_names(const config::Config& config, Findings& out) {
  std::map<std::string, std::string> known;
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const config::ServerGroup& g = config.server_groups[i];
    for (std::size_t k = 0; k < g.servers.size(); ++k) {
      const config::Server& s = g.servers[k];
      if (s.is_unix || is_address(s.host)) continue;
      const auto [asked, is_new] = known.try_emplace(s.host);
      if (is_new) asked->second = why_not(s.host);
      if (asked->second.empty()) continue;
      out.push_back(finding("name-unresolved", s.address.at,
                            config::element_path(config::element_path("server_groups", i) + ".servers", k) + ".address",
                            s.host + " has no address here: " + asked->second + "; with 0 addresses it gets 0 requests",
                            "correct the name, or ask a resolver that knows it"));
    }
  }
}

}  // namespace albatross
