// What the contract names and this version does not build.
#pragma once

#include <string_view>

namespace albatross::config {

// Whether `key: value` of the object named `object` (config/table/table.h) is built. The schema leaves out what is not.
bool is_built(std::string_view object, std::string_view key, std::string_view value);

}  // namespace albatross::config
