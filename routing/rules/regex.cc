#include "routing/rules/regex.h"

#include "base/text.h"

namespace albatross {
namespace {

bool is_word(char c) { return is_alpha(c) || is_digit(c) || c == '_'; }

// The index after a character class that opens at `at`.
std::size_t skip_class(std::string_view regex, std::size_t at) {
  ++at;
  if (at < regex.size() && regex[at] == '^') ++at;
  if (at < regex.size() && regex[at] == ']') ++at;  // the first ] in a class is a literal
  while (at < regex.size() && regex[at] != ']') {
    if (regex.substr(at).starts_with("[:")) {
      const std::size_t end = regex.find(":]", at);
      if (end == std::string_view::npos) return regex.size();
      at = end + 2;
    } else {
      at += regex[at] == '\\' ? 2 : 1;
    }
  }
  return at + 1;
}

// An alternative outside of all groups need not begin like the first one.
bool has_outer_alternative(std::string_view regex) {
  int depth = 0;
  for (std::size_t i = 0; i < regex.size();) {
    switch (regex[i]) {
      case '\\': i += 2; continue;
      case '[': i = skip_class(regex, i); continue;
      case '(': ++depth; break;
      case ')': --depth; break;
      case '|':
        if (depth == 0) return true;
        break;
      default: break;
    }
    ++i;
  }
  return false;
}

// Whether the rest could mean something else without the literal before it: assertions look at the literal, and a
// repetition applies to it across flags (`a(?i)+`).
bool looks_back(std::string_view rest) {
  for (const char* assertion : {"\\b", "\\B", "\\A"}) {
    if (rest.find(assertion) != std::string_view::npos) return true;
  }
  for (std::size_t at = rest.find('^'); at != std::string_view::npos; at = rest.find('^', at + 1)) {
    if (at == 0 || rest[at - 1] != '[') return true;
  }
  for (std::size_t at = rest.find("(?"); at != std::string_view::npos; at = rest.find("(?", at + 1)) {
    if (at + 2 == rest.size() || (rest[at + 2] != ':' && rest[at + 2] != 'P')) return true;
  }
  return false;
}

std::string hint_for(const RE2& regex) {
  const std::string& part = regex.error_arg();
  switch (regex.error_code()) {
    case RE2::ErrorBadEscape:
      if (part.size() == 2 && part[1] >= '1' && part[1] <= '9') return "RE2 has no back-references";
      return {};
    case RE2::ErrorBadPerlOp:
    case RE2::ErrorRepeatArgument:
    case RE2::ErrorMissingParen:
    case RE2::ErrorBadNamedCapture:
      for (const char* look : {"(?=", "(?!", "(?<=", "(?<!"}) {
        if (part.starts_with(look)) return "RE2 has no lookahead and no lookbehind; a \"not\" condition may do";
      }
      if (part.starts_with("(?<")) return "write a named group as (?P<name>...)";
      return {};
    default: return {};
  }
}

}  // namespace

RE2::Options regex_options(bool ignore_case, std::int64_t max_mem) {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);
  options.set_case_sensitive(!ignore_case);
  options.set_log_errors(false);
  options.set_max_mem(max_mem);
  return options;
}

std::optional<SplitRegex> split_regex(std::string_view regex) {
  // \Q..\E changes what every other character means.
  if (!regex.starts_with('^') || regex.find("\\Q") != std::string_view::npos || has_outer_alternative(regex)) {
    return std::nullopt;
  }
  SplitRegex out;
  std::size_t rest = 1;
  std::size_t last = 1;  // where the last character of the literal begins in the regex
  while (rest < regex.size()) {
    std::size_t at = rest;
    if (std::string_view("*?+{").find(regex[at]) != std::string_view::npos) {  // it repeats the last character
      if (!out.literal.empty()) out.literal.pop_back();
      rest = last;
      break;
    }
    if (regex[at] == '\\') {
      if (++at == regex.size() || is_word(regex[at])) break;
    } else if (std::string_view(".[]()|^$}").find(regex[at]) != std::string_view::npos) {
      break;
    }
    out.literal += regex[at];
    last = rest;
    rest = at + 1;
  }
  out.rest = regex.substr(rest);
  if (looks_back(out.rest)) return std::nullopt;
  return out;
}

bool check_regex(const config::Pattern& pattern, bool ignore_case, const RegexBudget& budget, const std::string& path,
                 config::Diagnostics& out) {
  const RE2 regex(pattern.text, regex_options(ignore_case, budget.pattern));
  if (regex.ok()) return true;
  out.error(pattern.at, path, "regex \"" + pattern.text + "\": " + regex.error(), hint_for(regex));
  return false;
}

std::optional<std::uint32_t> RegexTexts::add(const std::string& source, bool ignore_case, const RegexBudget& budget) {
  const auto known = numbers_.find({source, ignore_case});
  if (known != numbers_.end()) return known->second;
  if (!RE2(source, regex_options(ignore_case, budget.pattern)).ok()) return std::nullopt;
  texts_.push_back({source, ignore_case});
  numbers_.emplace(std::pair(source, ignore_case), size() - 1);
  return size() - 1;
}

RegexBank::RegexBank(const RegexTexts& texts, const RegexBudget& budget) {
  regexes_.reserve(texts.size());
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    regexes_.push_back(std::make_unique<RE2>(texts[i].source, regex_options(texts[i].ignore_case, budget.pattern)));
  }
}

}  // namespace albatross
