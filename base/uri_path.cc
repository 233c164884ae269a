#include "base/uri_path.h"

#include "base/text.h"

namespace albatross {
namespace {

// A segment "." or ".." with parameters after it: a server that drops the parameters would resolve the dots.
bool dots_with_parameters(std::string_view segment) { return segment.starts_with(".;") || segment.starts_with("..;"); }

// A decoded character is unreserved, so no new "%" or "/" can appear.
NormalPath decode(std::string_view path, EncodedSlash slashes, char* out) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '\\' && slashes == EncodedSlash::kReject) return {"a backslash in the path"};
    if (static_cast<signed char>(c) < 0) {
      n = static_cast<std::size_t>(write_percent(out + n, c) - out);
      continue;
    }
    if (c != '%') {
      out[n++] = c;
      continue;
    }
    const int v = escaped_byte(path, i);
    if (v < 0) return {"a bad escape in the path"};
    i += 2;
    if ((v == '/' || v == '\\' || v == 0) && slashes == EncodedSlash::kReject)
      return {"an encoded slash, backslash or NUL in the path"};
    if (v < 0x80 && is_unreserved(static_cast<char>(v))) {
      out[n++] = static_cast<char>(v);
    } else {
      n = static_cast<std::size_t>(write_percent(out + n, static_cast<char>(v)) - out);
    }
  }
  return {nullptr, n};
}

// RFC 3986 §5.2.4, in place: the write position never passes the read position.
NormalPath resolve_dots(char* text, std::size_t n) {
  std::size_t w = 0;
  for (std::size_t i = 0; i < n;) {
    const std::size_t start = i + 1;  // text[i] is '/'
    std::size_t end = start;
    while (end < n && text[end] != '/') ++end;
    const std::string_view segment(text + start, end - start);
    if (dots_with_parameters(segment)) return {"a dot segment with parameters"};
    if (segment == "." || segment == "..") {
      if (segment == "..") {
        while (w > 0 && text[w - 1] != '/') --w;
        if (w > 0) --w;
      }
      if (end == n) text[w++] = '/';
    } else {
      text[w++] = '/';
      for (std::size_t k = start; k < end; ++k) text[w++] = text[k];
    }
    i = end;
  }
  if (w == 0) text[w++] = '/';
  return {nullptr, w};
}

}  // namespace

bool is_unreserved(char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

int escaped_byte(std::string_view text, std::size_t i) {
  if (i + 2 >= text.size()) return -1;
  const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

NormalPath write_normal_path(std::string_view path, EncodedSlash slashes, char* out) {
  const NormalPath decoded = decode(path, slashes, out);
  return decoded.error != nullptr ? decoded : resolve_dots(out, decoded.size);
}

}  // namespace albatross
