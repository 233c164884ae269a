// The regexes of a rule table: RegexTexts, their numbered sources, and RegexBank, one worker's compiled copies.
//
// RE2 reads raw bytes here (Latin-1), so a value with any byte can match. A RegexTexts is built once, then const and
// shared; a RegexBank belongs to one worker, because an RE2's DFA cache has a lock.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "routing/rules/text_matcher.h"

namespace albatross {

// How many bytes RE2 may use for the compiled program and the DFA cache of a pattern or a set. A set drops its whole
// cache when that is full, which delays one request: by 5 ms with 4 MiB, by 60 ms with 32 MiB (measured on 512 patterns
// with ".*").
struct RegexBudget {
  std::int64_t pattern = std::int64_t{8} << 20;
  std::int64_t set = std::int64_t{4} << 20;
};

RE2::Options regex_options(bool ignore_case, std::int64_t max_mem);

// The text for RE2, never with a null pointer, which RE2 takes for a group that is not set.
inline re2::StringPiece piece(std::string_view text) {
  return text.empty() ? re2::StringPiece("", 0) : re2::StringPiece(text.data(), text.size());
}

// A regex, split after the literal that every match begins with: `^/svc1/v[0-9]+/` becomes "/svc1/v" and `[0-9]+/`,
// which is matched from there on. Many rules often have the same rest, which is then compiled once.
struct SplitRegex {
  std::string literal;
  std::string rest;
};
// nullopt if there is no such literal for certain. The regex must be one that RE2 accepts and must not ignore case.
std::optional<SplitRegex> split_regex(std::string_view regex);

// Whether RE2 accepts the pattern; if not, there is an error in `out` at the pattern's place.
bool check_regex(const config::Pattern& pattern, bool ignore_case, const RegexBudget& budget, const std::string& path,
                 config::Diagnostics& out);

class RegexTexts {
 public:
  struct Text {
    std::string source;
    bool ignore_case = false;
  };

  // The number of this regex, the same for equal ones; nullopt if RE2 refuses it.
  std::optional<std::uint32_t> add(const std::string& source, bool ignore_case, const RegexBudget& budget);

  const Text& operator[](std::uint32_t number) const { return texts_[number]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(texts_.size()); }

 private:
  std::vector<Text> texts_;
  std::map<std::pair<std::string, bool>, std::uint32_t> numbers_;
};

class RegexBank {
 public:
  RegexBank(const RegexTexts& texts, const RegexBudget& budget);

  // Whether the value, of any shape, matches the text.
  bool matches(const TextMatcher& value, std::string_view text) const {
    return value.shape == TextMatcher::Shape::kRegex ? search(value, text, nullptr, 0) : value.matches(text);
  }
  // The same for a value that is a regex, with value.text as the literal before it. Fills the first `count` groups, the
  // whole match being the first; those that are not set have a null pointer.
  bool search(const TextMatcher& value, std::string_view text, re2::StringPiece* groups, int count) const {
    if (!text.starts_with(value.text)) return false;
    const RE2::Anchor anchor = value.text.empty() ? RE2::UNANCHORED : RE2::ANCHOR_START;
    return regexes_[value.regex]->Match(piece(text), value.text.size(), text.size(), anchor, groups, count);
  }
  // How many capturing groups the regex has.
  int groups(const TextMatcher& value) const { return regexes_[value.regex]->NumberOfCapturingGroups(); }

 private:
  std::vector<std::unique_ptr<RE2>> regexes_;
};

}  // namespace albatross
