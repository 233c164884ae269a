// Expands `${env:NAME}` and `${env:NAME:-default}` in a scalar. Reads the environment of the process, which no thread
// may change meanwhile.
#pragma once

#include <string>
#include <string_view>

namespace albatross::config {

struct Expansion {
  std::string text;
  std::string error;  // empty: `text` is complete
  std::string hint;
};

// Expands from left to right; the value of a variable is not expanded again. Any other `${…}` is kept. `$${` becomes
// `${`, or is kept with `keep_escapes`, for texts that a template compiler reads next.
Expansion expand_env(std::string_view text, bool keep_escapes);

// Whether the text has a `${env:`.
bool has_env(std::string_view text);

}  // namespace albatross::config
