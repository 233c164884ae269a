// The normal form of paths (RFC 3986 §6.2). Rules, logs and servers see it, and the patterns of rules are converted to
// it. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace albatross {

// RFC 3986 §2.3.
bool is_unreserved(char c);
// The byte that the escape at text[i], a '%', stands for; -1 if it is not an escape.
int escaped_byte(std::string_view text, std::size_t i);

enum class EncodedSlash : bool { kReject, kPass };

struct NormalPath {
  const char* error = nullptr;  // what is wrong with the path; null: nothing
  std::size_t size = 0;         // of what was written
};
// Decodes the escapes of unreserved characters, writes other escapes in upper case, resolves dot segments, and keeps
// empty segments. Refuses bad escapes and dot segments with parameters ("..;x"), and unless they are to pass `%2F`,
// `%5C`, `\` and `%00`. Bytes above 0x7f, which a client should have escaped, are. The path begins with "/". `out` has
// room for as many bytes as the path has, and two more for each byte above 0x7f.
NormalPath write_normal_path(std::string_view path, EncodedSlash slashes, char* out);

}  // namespace albatross
