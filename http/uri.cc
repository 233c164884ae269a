#include "http/uri.h"

#include <array>

#include "base/ip.h"
#include "base/text.h"

namespace albatross {
namespace {

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
    if (is_unreserved(c)) continue;
    if (int v = c == '%' ? escaped_byte(h, i) : -1; v >= 0) {
      if (v <= 0x20 || v == 0x7f) return false;
      i += 2;
      continue;
    }
    if (std::string_view("!$&'()*+,;=").find(c) == std::string_view::npos) return false;
  }
  return true;
}

// Bytes that may make a path differ from its normal form.
constexpr std::array<bool, 256> kSpecial = [] {
  std::array<bool, 256> t{};
  for (const char c : std::string_view("%\\/")) t[static_cast<unsigned char>(c)] = true;
  for (std::size_t c = 0x80; c < t.size(); ++c) t[c] = true;
  return t;
}();

bool needs_work(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (!kSpecial[static_cast<unsigned char>(path[i])]) continue;
    if (path[i] != '/' || (i + 1 < path.size() && path[i + 1] == '.')) return true;
  }
  return false;
}

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
  char* text = arena.bytes(3 * path.size());
  const NormalPath normal = write_normal_path(path, slashes, text);
  if (normal.error != nullptr) return {Cause::kBadPath, normal.error};
  out = {text, normal.size};
  return {};
}

std::string_view escape_unsendable(std::string_view text, Arena& arena) {
  const auto fine = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f && c != '#';
  };
  std::size_t extra = 0;
  for (char c : text) extra += fine(c) ? 0 : 2;
  if (extra == 0) return text;
  char* out = arena.bytes(text.size() + extra);
  char* end = out;
  for (char c : text) {
    if (fine(c)) {
      *end++ = c;
    } else {
      end = write_percent(end, c);
    }
  }
  return {out, text.size() + extra};
}

}  // namespace albatross
