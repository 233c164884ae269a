#include "routing/rules/condition.h"

#include "base/text.h"

namespace albatross {
namespace {

// The character at `at`, decoded; moves `at` past it.
char next_decoded(std::string_view text, std::size_t& at) {
  const char c = text[at++];
  if (c == '+') return ' ';
  if (c != '%' || at + 2 > text.size()) return c;
  const int high = hex_value(text[at]);
  const int low = hex_value(text[at + 1]);
  if (high < 0 || low < 0) return c;
  at += 2;
  return static_cast<char>(high * 16 + low);
}

}  // namespace

std::string_view bare_host(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(0, end + 1);
  }
  const std::size_t colon = host.find(':');
  // More than one colon without brackets is an IPv6 address, not a port.
  if (colon != std::string_view::npos && host.find(':', colon + 1) == std::string_view::npos) {
    host = host.substr(0, colon);
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

std::size_t decode_query_text(std::string_view text, char* out) {
  std::size_t size = 0;
  for (std::size_t at = 0; at < text.size();) out[size++] = next_decoded(text, at);
  return size;
}

bool is_query_encoded(std::string_view text) { return text.find_first_of("%+") != std::string_view::npos; }

bool decoded_equals(std::string_view raw, std::string_view plain) {
  if (raw.size() < plain.size()) return false;
  std::size_t at = 0;
  for (const char c : plain) {
    if (at == raw.size() || next_decoded(raw, at) != c) return false;
  }
  return at == raw.size();
}

std::optional<std::pair<std::string_view, std::string_view>> split_cookie(std::string_view crumb) {
  crumb = trim_blanks(crumb);
  const std::size_t equals = crumb.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  return std::pair(crumb.substr(0, equals), crumb.substr(equals + 1));
}

}  // namespace albatross
