// Which values of the configuration are known, but not built in this version. Constant data, any thread.
#pragma once

#include <string_view>

namespace albatross::config {

// Whether `key: value` of that object of the table (config/table/table.h) is built. The schema leaves out values that
// are not.
bool is_built(std::string_view object, std::string_view key, std::string_view value);

}  // namespace albatross::config
