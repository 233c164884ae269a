// The patterns of conditions: the shorthand in one text and the explicit forms.
#include <idn2.h>

#include <algorithm>

#include "base/text.h"
#include "base/uri_path.h"
#include "config/table/table.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

using Kind = Pattern::Kind;

Type<std::string> pattern_text() {
  Type<std::string> type{{"text", {}, text_schema()}, {}};
  type.decode = [](Decoder& d, const Node& node, std::string& out) {
    auto text = d.text(node);
    if (text) out = std::move(*text);
    return text.has_value();
  };
  return type;
}

bool check_form(Decoder& d, const Node& node, Pattern& out) {
  std::size_t forms = 0, unknown = 0;
  for (const Node::Entry& entry : node.entries) {
    const bool form = entry.key == "exact" || entry.key == "prefix" || entry.key == "wildcard" || entry.key == "regex";
    if (form && ++forms == 2) d.error(entry.at, "a pattern has one form", "keep one of them");
    if (!form && entry.key != "ignore_case") ++unknown;
  }
  if (forms != 1) {
    if (forms + unknown == 0) d.error(node.at, "the pattern is missing", "give one of exact, prefix, wildcard, regex");
    return false;
  }
  const Node* ignore_case = node.find("ignore_case");
  if (ignore_case != nullptr && out.kind != Kind::kRegex) {
    d.error(ignore_case->at, "ignore_case is for a regex only");
    return false;
  }
  if (out.kind == Kind::kRegex && out.text.empty()) {
    d.error(node.at, "the regex is empty");
    return false;
  }
  return true;
}

const Object<Pattern>& pattern_table() {
  static const Object<Pattern> table = [] {
    Object<Pattern> t(
        "pattern",
        "The full form of a pattern, for cases that the shorthand does not cover. The shorthand is a literal, a "
        "wildcard with "
        "`*` (any characters) and `?` (one character), `~` before a regex, or `~*` before a regex that ignores case; "
        "outside a regex `\\` escapes. In full it has exactly one of exact, prefix, wildcard and regex.");
    t.field("exact", as<Kind::kExact, &Pattern::text>, pattern_text(), "The whole value, byte for byte.");
    t.field("prefix", as<Kind::kPrefix, &Pattern::text>, pattern_text(),
            "The start of the value. A path is matched by whole segments: `/v2` matches `/v2/x` and not `/v2x`.");
    t.field("wildcard", as<Kind::kWildcard, &Pattern::text>, pattern_text(),
            "The whole value, with `*`, `?` and `\\`.");
    t.field("regex", as<Kind::kRegex, &Pattern::text>, pattern_text(),
            "An RE2 regex that is found anywhere in the value.");
    t.field("ignore_case", &Pattern::ignore_case, boolean(), "Whether the regex ignores case.");
    t.also(check_form);
    return t;
  }();
  return table;
}

// Checks a pattern, and converts it to the form that requests have.
using PatternCheck = bool (*)(Decoder&, Pattern&);

// "^/api/.*$" is meant as a regex, but would be compared literally.
bool is_bare_regex(const Pattern& pattern) {
  const std::string& text = pattern.text;
  return pattern.kind != Kind::kRegex && (text.starts_with('^') || (text.size() > 1 && text.ends_with('$')));
}

bool refuse_bare_regex(Decoder& d, const Pattern& pattern) {
  if (!is_bare_regex(pattern)) return false;
  d.error(pattern.at, "this is compared as it stands, and looks like a regex",
          "a regex begins with ~: write \"~" + pattern.text.substr(0, 64) + "\", or {exact: …} if it is none");
  return true;
}

// The ASCII form of the labels that are not ASCII (RFC 5891); nullopt if one has none.
std::optional<std::string> ascii_host(std::string_view host) {
  std::string out;
  while (!host.empty()) {
    const std::string label(host.substr(0, host.find('.')));
    host.remove_prefix(std::min(host.size(), label.size() + 1));
    char* ascii = nullptr;
    if (is_ascii(label)) {
      out += label;
    } else if (label.find_first_of("*?\\") == std::string::npos &&
               idn2_to_ascii_8z(label.c_str(), &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK) {
      out += ascii;
      idn2_free(ascii);
    } else {
      return std::nullopt;
    }
    if (!host.empty()) out += '.';
  }
  return out;
}

bool check_host(Decoder& d, Pattern& pattern) {
  if (pattern.kind == Kind::kRegex) return true;
  if (refuse_bare_regex(d, pattern)) return false;
  if (pattern.text.empty()) {
    d.error(pattern.at, "the host is empty");
    return false;
  }
  if (!is_ascii(pattern.text)) {
    const auto ascii = ascii_host(pattern.text);
    if (!ascii) {
      d.error(pattern.at, "a label of the host has no ASCII form, which is what clients send",
              "write the label in its xn-- form, or without wildcards");
      return false;
    }
    pattern.text = *ascii;
  }
  if (pattern.text.find('/') != std::string::npos) {
    d.error(pattern.at, "a host has no scheme and no path", "write the name alone");
    return false;
  }
  const std::size_t colon = pattern.text.rfind(':');
  if (colon != std::string::npos && !pattern.text.starts_with('[')) {
    d.error(pattern.at, "a host is compared without its port", "write " + pattern.text.substr(0, colon));
    return false;
  }
  return true;
}

// Clients escape these characters, so no request line contains them.
bool is_sent_escaped(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte >= 0x7f;
}

// The normal form of the literal parts of a wildcard, whose `\` escapes stay.
std::string normal_wildcard(std::string_view text) {
  std::string out;
  char escape[3];
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && !is_sent_escaped(text[i + 1])) {
      out += text.substr(i++, 2);
      continue;
    }
    if (text[i] == '\\') continue;  // the next character is written as an escape
    const int v = text[i] == '%' ? escaped_byte(text, i) : -1;
    if (v >= 0) i += 2;
    if (v >= 0 && v < 0x80 && is_unreserved(static_cast<char>(v))) {
      out += static_cast<char>(v);
    } else if (v >= 0 || is_sent_escaped(text[i])) {
      out.append(escape, write_percent(escape, v >= 0 ? static_cast<char>(v) : text[i]));
    } else {
      out += text[i];
    }
  }
  return out;
}

bool has_dot_segment(std::string_view path) {
  for (std::size_t at = path.find("/."); at != std::string_view::npos; at = path.find("/.", at + 1)) {
    const std::string_view segment = path.substr(at + 1, path.find('/', at + 1) - at - 1);
    if (segment == "." || segment == "..") return true;
  }
  return false;
}

bool normalise_wildcard(Decoder& d, Pattern& pattern) {
  pattern.text = normal_wildcard(pattern.text);
  if (!has_dot_segment(pattern.text)) return true;
  d.error(pattern.at, "no path has a segment \".\" or \"..\" when it is compared", "write the path without it");
  return false;
}

bool normalise_literal(Decoder& d, Pattern& pattern) {
  std::string sent;
  char escape[3];
  for (char c : pattern.text) {
    if (is_sent_escaped(c)) {
      sent.append(escape, write_percent(escape, c));
    } else {
      sent += c;
    }
  }
  pattern.text.resize(sent.size());
  const NormalPath normal = write_normal_path(sent, EncodedSlash::kPass, pattern.text.data());
  if (normal.error != nullptr) {
    d.error(pattern.at, std::string("no request matches this: ") + normal.error,
            "write a percent sign as %25, and leave dot segments out");
    return false;
  }
  pattern.text.resize(normal.size);
  return true;
}

bool check_path(Decoder& d, Pattern& pattern) {
  if (pattern.kind == Kind::kRegex) return true;
  if (refuse_bare_regex(d, pattern)) return false;
  const bool any_start = pattern.text.starts_with('*') || pattern.text.starts_with('?');
  if (!pattern.text.starts_with('/') && (pattern.kind != Kind::kWildcard || !any_start)) {
    d.error(pattern.at, "a path starts with /", "did you mean \"/" + pattern.text.substr(0, 64) + "\"?");
    return false;
  }
  if (pattern.kind == Kind::kWildcard) return normalise_wildcard(d, pattern);
  if (const std::size_t query = pattern.text.find_first_of("?#"); query != std::string::npos) {
    d.error(pattern.at, "a path is compared without its query", "write " + pattern.text.substr(0, query));
    return false;
  }
  return normalise_literal(d, pattern);
}

// Values may be any text, so one that looks like a regex may be meant literally.
bool check_value(Decoder& d, Pattern& pattern) {
  if (is_bare_regex(pattern) && pattern.text.starts_with('^')) {
    d.warning(pattern.at, "this is compared as it stands, and looks like a regex",
              "a regex begins with ~: write \"~" + pattern.text.substr(0, 64) + "\"");
  }
  return true;
}

bool ends_in_escape(const std::string& text) {
  std::size_t slashes = 0;
  while (slashes < text.size() && text[text.size() - 1 - slashes] == '\\') ++slashes;
  return slashes % 2 == 1;
}

Type<Pattern> pattern(PatternCheck check) {
  Type<Pattern> shorthand{{"pattern", {}, text_schema()}, [](Decoder& d, const Node& node, Pattern& out) {
                            const auto text = d.text(node);
                            return text && take(d, node, parse_pattern(*text), out);
                          }};
  Type<Pattern> both = scalar_or(std::move(shorthand), object("pattern", pattern_table, "{prefix: /v2}"));
  both.info.text = "[pattern](#pattern)";
  return {both.info, [both, check](Decoder& d, const Node& node, Pattern& out) {
            if (!both.decode(d, node, out)) return false;
            out.at = node.at;
            if (out.kind == Kind::kWildcard && ends_in_escape(out.text)) {
              d.error(node.at, "nothing follows the last \\", "write \\\\ for a backslash");
              return false;
            }
            return check(d, out);
          }};
}

}  // namespace

Type<Pattern> host_pattern() { return pattern(check_host); }
Type<Pattern> path_pattern() { return pattern(check_path); }
Type<Pattern> value_pattern() { return pattern(check_value); }

void add_pattern_tables(Tables& tables) { tables.push_back(&pattern_table().info()); }

}  // namespace albatross::config
