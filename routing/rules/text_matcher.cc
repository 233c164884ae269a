#include "routing/rules/text_matcher.h"

#include <charconv>

#include "base/text.h"
#include "routing/rules/condition.h"

namespace albatross {
namespace {

using Shape = TextMatcher::Shape;

struct Unescaped {
  std::string text;
  bool wild = false;  // there is an unescaped wildcard: text is not usable
};

Unescaped unescape(std::string_view pattern) {
  Unescaped out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*' || pattern[i] == '?') out.wild = true;
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    out.text += pattern[i];
  }
  return out;
}

// The star at the end counts only if no backslash escapes it.
bool ends_with_star(std::string_view pattern) {
  if (!pattern.ends_with('*')) return false;
  std::size_t slashes = 0;
  while (slashes + 1 < pattern.size() && pattern[pattern.size() - 2 - slashes] == '\\') ++slashes;
  return slashes % 2 == 0;
}

void compile_wildcard(std::string_view pattern, TextMatcher& out) {
  std::string_view middle = pattern;
  bool front = false;
  bool back = false;
  for (; middle.starts_with('*'); front = true) middle.remove_prefix(1);
  for (; ends_with_star(middle); back = true) middle.remove_suffix(1);
  Unescaped plain = unescape(middle);
  if (plain.wild) {
    out.shape = Shape::kWildcard;
    out.text = pattern;
    return;
  }
  out.text = std::move(plain.text);
  if (out.text.empty() && (front || back)) {
    out.shape = Shape::kAny;
  } else if (front && back) {
    out.shape = Shape::kContains;
  } else {
    out.shape = front ? Shape::kSuffix : back ? Shape::kPrefix : Shape::kExact;
  }
}

}  // namespace

bool wildcard_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // just after the last star, and the end of what it has matched
  std::size_t swallowed = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      swallowed = t;
      continue;
    }
    if (p < pattern.size()) {
      const bool any = pattern[p] == '?';
      const std::size_t at = pattern[p] == '\\' && p + 1 < pattern.size() ? p + 1 : p;
      if (any || pattern[at] == text[t]) {
        p = at + 1;
        ++t;
        continue;
      }
    }
    if (star == std::string_view::npos) return false;
    p = star;
    t = ++swallowed;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_segment_prefix(std::string_view prefix, std::string_view text) {
  if (!text.starts_with(prefix)) return false;
  return text.size() == prefix.size() || prefix.ends_with('/') || text[prefix.size()] == '/';
}

bool is_in_range(std::int64_t least, std::int64_t most, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && least <= value && value <= most;
}

TextMatcher TextMatcher::compile(const config::Pattern& pattern, Subject subject) {
  TextMatcher out;
  switch (pattern.kind) {
    case config::Pattern::Kind::kExact:
      out.shape = Shape::kExact;
      out.text = subject == Subject::kHost ? bare_host(pattern.text) : std::string_view(pattern.text);
      break;
    case config::Pattern::Kind::kPrefix:
      out.shape = subject == Subject::kPath ? Shape::kSegmentPrefix : Shape::kPrefix;
      out.text = pattern.text;
      break;
    case config::Pattern::Kind::kWildcard: compile_wildcard(pattern.text, out); break;
    case config::Pattern::Kind::kRegex: out.shape = Shape::kRegex; return out;
    case config::Pattern::Kind::kRange:
      out.shape = Shape::kRange;
      out.least = pattern.least;
      out.most = pattern.most;
      return out;
  }
  if (subject == Subject::kHost) out.text = ascii_lower(out.text);
  return out;
}

bool TextMatcher::matches(std::string_view subject) const {
  switch (shape) {
    case Shape::kAny: return true;
    case Shape::kExact: return subject == text;
    case Shape::kPrefix: return subject.starts_with(text);
    case Shape::kSegmentPrefix: return is_segment_prefix(text, subject);
    case Shape::kSuffix: return subject.ends_with(text);
    case Shape::kContains: return subject.find(text) != std::string_view::npos;
    case Shape::kWildcard: return wildcard_matches(text, subject);
    case Shape::kRange: return is_in_range(least, most, subject);
    case Shape::kRegex: break;
  }
  return false;
}

}  // namespace albatross
