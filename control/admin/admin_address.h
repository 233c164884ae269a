// Addresses of the admin API: how they are written, and the defaults. Any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace albatross {

// The path of the default socket of a new process: in systemd's RUNTIME_DIRECTORY; else in /run/albatross, if this user
// may write there; else in the user's runtime directory, or in /tmp.
std::string default_admin_path();
// Where a process of this machine may have its default socket, the likeliest first: those of this user, then root's.
std::vector<std::string> default_admin_paths();
// Makes the folder of a default socket, for this user only. Returns an error, or an empty string.
std::string make_admin_folder(const std::string& socket);

// "unix:/path", "/path", "127.0.0.1:9900", "localhost:9900" or "[::1]:9900"; with `names` also "lb.internal:9900".
// False if the text is not an address. A relative path stays relative to the working directory.
bool parse_admin_address(const std::string& text, config::Bind& out, bool names = false);

}  // namespace albatross
