// The parts below conditions: wildcards, hosts, percent-decoding, the literal in front of a regex.
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <random>

#include "routing/rules/condition.h"
#include "routing/rules/regex.h"
#include "routing/rules/text_matcher.h"

namespace albatross::test {
namespace {

// By its definition, character by character.
bool slow_wildcard(std::string_view p, std::string_view t) {
  if (p.empty()) return t.empty();
  if (p[0] == '*') return slow_wildcard(p.substr(1), t) || (!t.empty() && slow_wildcard(p, t.substr(1)));
  if (t.empty()) return false;
  if (p[0] == '?') return slow_wildcard(p.substr(1), t.substr(1));
  if (p[0] == '\\' && p.size() > 1) p.remove_prefix(1);
  return p[0] == t[0] && slow_wildcard(p.substr(1), t.substr(1));
}

std::string random_text(std::mt19937& random, std::string_view alphabet, std::size_t longest) {
  std::string out;
  for (std::size_t n = random() % (longest + 1); n > 0; --n) out += alphabet[random() % alphabet.size()];
  return out;
}

TEST_CASE("wildcards, compiled or not, equal their definition") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 50'000; ++i) {
    const std::string pattern = random_text(random, "ab*?\\", 7);
    const std::string text = random_text(random, "ab*?\\", 8);
    const bool expected = slow_wildcard(pattern, text);
    const config::Pattern as_config{config::Pattern::Kind::kWildcard, false, pattern, {}};
    const TextMatcher compiled = TextMatcher::compile(as_config, TextMatcher::Subject::kOther);
    if (wildcard_matches(pattern, text) != expected || compiled.matches(text) != expected) {
      FAIL("pattern " << pattern << " text " << text << " expected " << expected);
    }
  }
}

TEST_CASE("a wildcard full of stars does not take for ever") {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "*a";
  pattern += "*b?";
  const std::string text(16'384, 'a');
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(wildcard_matches(pattern, text));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("common wildcards become plain comparisons") {
  const auto shape = [](std::string text) {
    const config::Pattern pattern{config::Pattern::Kind::kWildcard, false, std::move(text), {}};
    return TextMatcher::compile(pattern, TextMatcher::Subject::kPath).shape;
  };
  using Shape = TextMatcher::Shape;
  CHECK(shape("*") == Shape::kAny);
  CHECK(shape("/v1/*") == Shape::kPrefix);
  CHECK(shape("*.php") == Shape::kSuffix);
  CHECK(shape("*x*") == Shape::kContains);
  CHECK(shape("/a\\*") == Shape::kExact);
  CHECK(shape("/a*b") == Shape::kWildcard);
  CHECK(shape("/a?") == Shape::kWildcard);
}

TEST_CASE("percent-decoding takes what is no escape as it is") {
  const auto decode = [](std::string_view text) {
    std::string out(text.size(), '\0');
    out.resize(decode_query_text(text, out.data()));
    return out;
  };
  CHECK(decode("a%41%62+c") == "aAb c");
  CHECK(decode("%") == "%");
  CHECK(decode("%4") == "%4");
  CHECK(decode("%4g%%41") == "%4g%A");
  CHECK(decode("%00x") == std::string("\0x", 2));
  CHECK(decoded_equals("%61b", "ab"));
  CHECK_FALSE(decoded_equals("%61b", "a"));
  CHECK_FALSE(decoded_equals("ab", "abc"));
  CHECK(decoded_equals("", ""));
}

TEST_CASE("a regex is cut behind the literal it begins with") {
  const auto split = [](std::string_view text) {
    const auto out = split_regex(text);
    return out ? out->literal + " " + out->rest : "none";
  };
  CHECK(split("^/svc1/v[0-9]+/") == "/svc1/v [0-9]+/");
  CHECK(split("^/a") == "/a ");
  CHECK(split("^/a$") == "/a $");
  CHECK(split("^/a\\.b(c)") == "/a.b (c)");
  CHECK(split("^/ab*") == "/a b*");
  CHECK(split("^/ab+c") == "/a b+c");
  CHECK(split("^/a\\.?x") == "/a \\.?x");
  CHECK(split("^/ab{2}") == "/a b{2}");
  CHECK(split("^/a\\d") == "/a \\d");
  CHECK(split("^(a|b)") == " (a|b)");
  CHECK(split("^/a[|]b") == "/a [|]b");
  CHECK(split("^/a|b") == "none");
  CHECK(split("/a") == "none");
  CHECK(split("^/a\\bx") == "none");
  CHECK(split("^/a(^b)") == "none");
  CHECK(split("^/a[^b]") == "/a [^b]");
  CHECK(split("^/\\Qa\\E") == "none");
  CHECK(split("^a*") == " a*");
  CHECK(split("^/a(?:b)") == "/a (?:b)");
  CHECK(split("^/a(?i)+") == "none");
}

}  // namespace
}  // namespace albatross::test
