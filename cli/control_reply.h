// What commands that change the running process share: names in paths of the admin API, and its replies. Main thread.
#pragma once

#include <string>

#include "cli/admin_client.h"

namespace albatross::cli {

// Percent-encodes a segment of a path.
std::string encoded_segment(const std::string& text);
// Splits "a/b/c" into "a" and "b/c": addresses of unix sockets have slashes, names have none.
bool split_name(const std::string& text, std::string& first, std::string& second);
// Prints the reply for people or as JSON. Returns the exit code.
int print_reply(const AdminReply& reply, bool as_json);

}  // namespace albatross::cli
