// Splits a request into parts for conditions: the host without its port, cookies, query parameters, percent-decoding.
//
// All views are into the request; no function here keeps or allocates anything. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "http/head.h"

namespace albatross {

// The host as conditions see it: without ":port" and one trailing dot; "[v6]" keeps its brackets. Case is kept.
std::string_view bare_host(std::string_view host);

// Decodes "%41" to "A" and "+" to " "; a "%" without two hexadecimal digits stays. `out` has room for text.size()
// bytes. Returns how many were written.
std::size_t decode_query_text(std::string_view text, char* out);
// Whether decoding would change the text.
bool is_query_encoded(std::string_view text);
// Whether `raw`, decoded, is `plain`.
bool decoded_equals(std::string_view raw, std::string_view plain);

// Name and value of one "name=value" of a Cookie field, without the blanks around it; quotes belong to the value.
// nullopt without "=".
std::optional<std::pair<std::string_view, std::string_view>> split_cookie(std::string_view crumb);

// Each of the following calls visit(value) for the values of that name until a call returns true, and returns whether
// one did.

// Fields of that id, or for kOther of that name in any case.
template <class Visit>
bool any_field(const Fields& fields, HeaderId id, std::string_view name, Visit&& visit) {
  for (const Field& f : fields) {
    if (f.removed || f.id != id) continue;
    if (id == HeaderId::kOther && !equals_ignore_case(f.name(), name)) continue;
    if (visit(f.value())) return true;
  }
  return false;
}

// Members of a list such as "a, b;q=0.5" (RFC 9110 §5.6.1), without the blanks around them. Empty ones are left out; a
// comma in quotes ends none.
template <class Visit>
bool any_item(std::string_view line, Visit&& visit) {
  while (!line.empty()) {
    std::size_t end = 0;
    for (bool quoted = false; end < line.size() && (quoted || line[end] != ','); ++end) {
      if (line[end] == '"') quoted = !quoted;
      if (quoted && line[end] == '\\' && end + 1 < line.size()) ++end;
    }
    const std::string_view item = trim_blanks(line.substr(0, end));
    if (!item.empty() && visit(item)) return true;
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return false;
}

// Cookies of all Cookie fields, "a=1; b=2" (RFC 6265 §5.4). Names are case-sensitive.
template <class Visit>
bool any_cookie(const Fields& fields, std::string_view name, Visit&& visit) {
  return any_field(fields, HeaderId::kCookie, {}, [&](std::string_view line) {
    while (!line.empty()) {
      const std::size_t end = line.find(';');
      const auto cookie = split_cookie(line.substr(0, end));
      if (cookie && cookie->first == name && visit(cookie->second)) return true;
      if (end == std::string_view::npos) break;
      line.remove_prefix(end + 1);
    }
    return false;
  });
}

// Parameters of a query. The values are still encoded; a name without "=" has an empty value.
template <class Visit>
bool any_parameter(std::string_view query, std::string_view name, Visit&& visit) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (!pair.empty() && decoded_equals(pair.substr(0, equals), name) && visit(value)) return true;
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace albatross
