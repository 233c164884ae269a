// `${env:NAME}` and `${env:NAME:-default}` in a scalar. Reads the process environment; call before threads change it.
#pragma once

#include <string>
#include <string_view>

namespace albatross::config {

struct Expansion {
  std::string text;
  std::string error;  // empty: `text` is good
  std::string hint;
};

// Expands once, left to right: what a variable holds is not expanded again. Every other `${…}` passes through. `$${`
// becomes `${`, or stays where `keep_escapes` says that a template compiler reads the text next.
Expansion expand_env(std::string_view text, bool keep_escapes);

bool has_env(std::string_view text);

}  // namespace albatross::config
