#include "http/uri.h"

#include "base/ip.h"
#include "base/text.h"

namespace albatross {
namespace {

// RFC 3986 §2.3.
bool unreserved(char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

// The byte that the escape at text[i], a '%', stands for; -1 if it is no escape.
int escaped_byte(std::string_view text, std::size_t i) {
  if (i + 2 >= text.size()) return -1;
  int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool valid_port(std::string_view p) {
  if (p.empty() || p.size() > 5) return false;
  unsigned n = 0;
  for (char c : p) {
    if (!is_digit(c)) return false;
    n = n * 10 + static_cast<unsigned>(c - '0');
  }
  return n <= 65535;
}

bool valid_reg_name(std::string_view h) {
  if (h.empty() || h.size() > 255) return false;
  for (std::size_t i = 0; i < h.size(); ++i) {
    char c = h[i];
    if (unreserved(c)) continue;
    if (int v = c == '%' ? escaped_byte(h, i) : -1; v >= 0) {
      if (v <= 0x20 || v == 0x7f) return false;
      i += 2;
      continue;
    }
    if (std::string_view("!$&'()*+,;=").find(c) == std::string_view::npos) return false;
  }
  return true;
}

// A segment "." or ".." with parameters behind it: servers that drop the parameters would climb.
bool dots_with_parameters(std::string_view segment) {
  return segment.substr(0, 2) == ".;" || segment.substr(0, 3) == "..;";
}

bool needs_work(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%' || c == '\\') return true;
    if (c == '/' && i + 1 < path.size() && path[i + 1] == '.') return true;
  }
  return false;
}

Refusal bad(const char* detail) { return {Cause::kBadPath, detail}; }

}  // namespace

bool valid_authority(std::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '[') {
    std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    std::optional<IpAddress> a = IpAddress::parse(text.substr(1, close - 1));
    if (!a || text.substr(1, close - 1).find(':') == std::string_view::npos) return false;
    std::string_view rest = text.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && valid_port(rest.substr(1)));
  }
  std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && !valid_port(text.substr(colon + 1))) return false;
  return valid_reg_name(text.substr(0, colon));
}

std::string_view host_of(std::string_view a) {
  if (!a.empty() && a[0] == '[') return a.substr(0, a.find(']') + 1);
  return a.substr(0, a.find(':'));
}

std::string_view port_of(std::string_view a) {
  std::string_view h = host_of(a);
  return a.size() > h.size() + 1 ? a.substr(h.size() + 1) : std::string_view();
}

Refusal split_target(Head& head) {
  std::string_view t = head.target;
  if (t.find('#') != std::string_view::npos) return {Cause::kMalformedRequest, "a fragment in the request target"};
  if (t == "*") {
    if (head.method != Method::kOptions) return {Cause::kMalformedRequest, "\"*\" is for OPTIONS"};
    head.path = t;
    return {};
  }
  if (t[0] != '/') {
    std::size_t scheme = t.find("://");
    if (scheme == std::string_view::npos ||
        !(equals_ignore_case(t.substr(0, scheme), "http") || equals_ignore_case(t.substr(0, scheme), "https"))) {
      return {Cause::kMalformedRequest, "the request target is neither a path nor an http URL"};
    }
    t.remove_prefix(scheme + 3);
    std::size_t end = t.find_first_of("/?");
    head.authority = t.substr(0, end);
    if (!valid_authority(head.authority)) return {Cause::kMalformedRequest, "the request target's host is not a host"};
    t = end == std::string_view::npos ? std::string_view() : t.substr(end);
  }
  std::size_t mark = t.find('?');
  head.has_query = mark != std::string_view::npos;
  head.path = t.substr(0, mark);
  if (head.has_query) head.query = t.substr(mark + 1);
  // RFC 9112 §3.2.4: the server itself is meant.
  if (head.path.empty()) head.path = head.method == Method::kOptions && !head.has_query ? "*" : "/";
  return {};
}

Refusal normalise_path(std::string_view path, EncodedSlash slashes, Arena& arena, std::string_view& out) {
  out = path;
  if (!needs_work(path)) return {};
  // First pass: escapes. A decoded character is unreserved, so no new "%" or "/" can appear.
  char* text = arena.bytes(path.size());
  std::size_t n = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '\\' && slashes == EncodedSlash::kReject) return bad("a backslash in the path");
    if (c != '%') {
      text[n++] = c;
      continue;
    }
    int v = escaped_byte(path, i);
    if (v < 0) return bad("a bad escape in the path");
    i += 2;
    if ((v == '/' || v == '\\' || v == 0) && slashes == EncodedSlash::kReject)
      return bad("an encoded slash, backslash or NUL in the path");
    if (unreserved(static_cast<char>(v)) && v < 0x80) {
      text[n++] = static_cast<char>(v);
    } else {
      n = static_cast<std::size_t>(write_percent(text + n, static_cast<char>(v)) - text);
    }
  }
  // Second pass: dot segments (RFC 3986 §5.2.4), in place; what is written never overtakes what is read.
  std::size_t w = 0;
  for (std::size_t i = 0; i < n;) {
    std::size_t start = i + 1;  // text[i] is '/'
    std::size_t end = start;
    while (end < n && text[end] != '/') ++end;
    std::string_view segment(text + start, end - start);
    if (dots_with_parameters(segment)) return bad("a dot segment with parameters");
    bool last = end == n;
    if (segment == "." || segment == "..") {
      if (segment == "..") {
        while (w > 0 && text[w - 1] != '/') --w;
        if (w > 0) --w;
      }
      if (last) text[w++] = '/';
    } else {
      text[w++] = '/';
      for (std::size_t k = start; k < end; ++k) text[w++] = text[k];
    }
    i = end;
  }
  if (w == 0) text[w++] = '/';
  out = {text, w};
  return {};
}

}  // namespace albatross
