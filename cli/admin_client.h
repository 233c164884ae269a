// One request to the admin API of the running process, for the commands. Blocks; main thread.
#pragma once

#include <string>

namespace albatross::cli {

struct AdminTarget {
  std::string address;  // "unix:/path", "/path" or "host:port"; empty: the address of `config`, or the default socket
  std::string token;    // sent with a write over TCP; empty: the token of `config`, if it has one
  std::string config;   // the file that the process runs; may be empty
};

struct AdminReply {
  int status = 0;  // 0: no answer, see error
  std::string body;
  std::string error;
};

// The error text for a person, without the JSON around it.
std::string error_text(const AdminReply& reply);

AdminReply ask_admin(const AdminTarget& to, const std::string& method, const std::string& target,
                     const std::string& body = "");

}  // namespace albatross::cli
