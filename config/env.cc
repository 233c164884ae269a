#include "config/env.h"

#include <cstdlib>

#include "base/text.h"

namespace albatross::config {
namespace {

constexpr std::string_view kOpen = "${env:";
constexpr std::string_view kEscape = "$${";

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return is_alpha(c) || c == '_'; };
  if (name.empty() || !letter(name[0])) return false;
  for (const char c : name) {
    if (!letter(c) && !is_digit(c)) return false;
  }
  return true;
}

// Appends the expansion of `${env:inside}`.
void expand_one(std::string_view inside, Expansion& out) {
  const std::size_t dash = inside.find(":-");
  const std::string name(inside.substr(0, dash));
  if (!is_variable_name(name)) {
    out.error = "\"" + name + "\" is not the name of an environment variable";
    return;
  }
  const char* held = std::getenv(name.c_str());
  const bool has_default = dash != std::string_view::npos;
  if (held != nullptr && (*held != '\0' || !has_default)) {
    out.text += held;
  } else if (has_default) {
    out.text += inside.substr(dash + 2);
  } else {
    out.error = "environment variable " + name + " is not set";
    out.hint = "set it or write ${env:" + name + ":-default}";
  }
}

}  // namespace

Expansion expand_env(std::string_view text, bool keep_escapes) {
  Expansion out;
  while (!text.empty() && out.error.empty()) {
    const std::size_t dollar = text.find('$');
    out.text += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with(kEscape)) {
      out.text += keep_escapes ? kEscape : kEscape.substr(1);
      text.remove_prefix(kEscape.size());
    } else if (text.starts_with(kOpen)) {
      const std::size_t close = text.find('}');
      if (close == std::string_view::npos) {
        out.error = "${env: is not closed";
        out.hint = "write ${env:NAME}, or $${ for a literal ${";
        break;
      }
      expand_one(text.substr(kOpen.size(), close - kOpen.size()), out);
      text.remove_prefix(close + 1);
    } else {
      out.text += '$';
      text.remove_prefix(1);
    }
  }
  return out;
}

bool has_env(std::string_view text) { return text.find(kOpen) != std::string_view::npos; }

}  // namespace albatross::config
