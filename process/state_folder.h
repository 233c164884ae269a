// The folder for what outlives the process (`state_dir`), and files in it. They are replaced whole, so that a reader
// never finds half of one. Control thread.
#pragma once

#include <string>

#include "config/config.h"

namespace albatross {

// `state_dir`, systemd's STATE_DIRECTORY, or albatross/ in the user's state folder; empty if there is none.
std::string state_folder(const config::Config& config);

// Makes the folder, for its owner alone, if it is missing, and replaces the file `name` there. Returns why it could
// not; empty if it could.
std::string write_state(const std::string& folder, const std::string& name, const std::string& text);
// The file's text; empty if there is none.
std::string read_state(const std::string& folder, const std::string& name);

}  // namespace albatross
