#include "routing/regex.h"

namespace albatross {
namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// The index behind a character class that opens at `at`.
std::size_t skip_class(std::string_view regex, std::size_t at) {
  ++at;
  if (at < regex.size() && regex[at] == '^') ++at;
  if (at < regex.size() && regex[at] == ']') ++at;  // first in a class it is itself
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

// An alternative that stands in no group need not begin as the first one does.
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

std::string literal_prefix(std::string_view regex) {
  // \Q..\E changes what every other character means.
  if (!regex.starts_with('^') || regex.find("\\Q") != std::string_view::npos || has_outer_alternative(regex)) return {};
  std::string out;
  for (std::size_t i = 1; i < regex.size(); ++i) {
    char c = regex[i];
    if (c == '*' || c == '?' || c == '{') {  // the character before may be missing
      if (!out.empty()) out.pop_back();
      break;
    }
    if (c == '\\') {
      if (i + 1 == regex.size() || is_word(regex[i + 1]) || regex[i + 1] == '_') break;
      c = regex[++i];
    } else if (std::string_view(".[]()|^$+}").find(c) != std::string_view::npos) {
      break;
    }
    out += c;
  }
  return out;
}

std::uint32_t RegexTexts::add(const config::Pattern& pattern, bool ignore_case, const RegexBudget& budget,
                              const std::string& path, config::Diagnostics& out) {
  const auto [known, is_new] = numbers_.try_emplace({pattern.text, ignore_case}, size());
  const RE2 regex(pattern.text, regex_options(ignore_case, budget.pattern));
  if (!regex.ok()) out.error(pattern.at, path, "regex \"" + pattern.text + "\": " + regex.error(), hint_for(regex));
  if (is_new) texts_.push_back({pattern.text, ignore_case, regex.ok() ? regex.NumberOfCapturingGroups() : 0});
  return known->second;
}

RegexBank::RegexBank(const RegexTexts& texts, const RegexBudget& budget) {
  regexes_.reserve(texts.size());
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    regexes_.push_back(
        std::make_unique<RE2>(texts[i].source, regex_options(texts[i].ignore_case, budget.pattern)));
  }
}

}  // namespace albatross
