// One request to the admin API of the running process. Blocking; for the command line.
#pragma once

#include <string>

namespace albatross::cli {

struct AdminReply {
  int status = 0;     // 0: no answer, see error
  std::string body;
  std::string error;
};

// `address`: "unix:/path", "host:port", or empty for the default socket. The token comes from ALBATROSS_ADMIN_TOKEN.
AdminReply ask_admin(const std::string& address, const std::string& method, const std::string& target);

}  // namespace albatross::cli
