// One request to the admin API of the running process, for the commands. Blocks; main thread.
#pragma once

#include <string>

namespace albatross::cli {

struct AdminTarget {
  std::string address;  // "unix:/path" or "host:port"; empty: the default socket
  std::string token;    // what a write over TCP carries; may be empty
};

struct AdminReply {
  int status = 0;  // 0: no answer, see error
  std::string body;
  std::string error;
};

AdminReply ask_admin(const AdminTarget& to, const std::string& method, const std::string& target,
                     const std::string& body = "");

}  // namespace albatross::cli
