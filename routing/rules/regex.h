// The patterns of a rule table that are regexes: their sources, numbered, and each worker's own compiled copies.
//
// RE2 reads raw bytes here (Latin-1), so no byte makes a pattern skip a value. RegexTexts is built once and then const
// and shared; a RegexBank belongs to one worker, because an RE2's DFA cache has a lock.
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

// Bytes that RE2 may use, compiled program and DFA cache together. A set's cache is thrown away whole when it is full,
// which holds up one request: 5 ms with 4 MiB, 60 ms with 32 MiB (measured on 512 patterns with ".*").
struct RegexBudget {
  std::int64_t pattern = std::int64_t{8} << 20;
  std::int64_t set = std::int64_t{4} << 20;
};

RE2::Options regex_options(bool ignore_case, std::int64_t max_mem);

// Never a null pointer, which RE2 takes for an unset group.
inline re2::StringPiece piece(std::string_view text) {
  return text.empty() ? re2::StringPiece("", 0) : re2::StringPiece(text.data(), text.size());
}

// A regex cut behind the literal that every match begins with: `^/svc1/v[0-9]+/` is "/svc1/v" and `[0-9]+/`, to be
// matched from there. The rest is often the same for many rules, and then compiled once.
struct SplitRegex {
  std::string literal;
  std::string rest;
};
// nullopt where nothing is certain. The regex must be one that RE2 takes, and must not ignore case.
std::optional<SplitRegex> split_regex(std::string_view regex);

// Whether RE2 takes the pattern; if not, an error at its place.
bool check_regex(const config::Pattern& pattern, bool ignore_case, const RegexBudget& budget, const std::string& path,
                 config::Diagnostics& out);

class RegexTexts {
 public:
  struct Text {
    std::string source;
    bool ignore_case = false;
  };

  // The number of this regex, the same for equal ones; nullopt for what RE2 refuses.
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

  // Any shape of value. A regex behind a literal has that in value.text.
  bool matches(const TextMatcher& value, std::string_view text) const {
    return value.shape == TextMatcher::Shape::kRegex ? search(value, text, nullptr, 0) : value.matches(text);
  }
  // A value that is a regex; its groups go into `groups` (null where unset), of which it fills `count` at most.
  bool search(const TextMatcher& value, std::string_view text, re2::StringPiece* groups, int count) const {
    if (!text.starts_with(value.text)) return false;
    const RE2::Anchor anchor = value.text.empty() ? RE2::UNANCHORED : RE2::ANCHOR_START;
    return regexes_[value.regex]->Match(piece(text), value.text.size(), text.size(), anchor, groups, count);
  }
  int groups(const TextMatcher& value) const { return regexes_[value.regex]->NumberOfCapturingGroups(); }

 private:
  std::vector<std::unique_ptr<RE2>> regexes_;
};

}  // namespace albatross
