// Differential: the compiled table against the conditions one by one, over random rules and requests.
#include <catch2/catch_test_macros.hpp>
#include <random>

#include "routing/rules/rule_table_compiled.h"
#include "tests/unit/routing/rule_generator.h"

namespace albatross::test {
namespace {

std::string described(const config::Condition& c) {
  std::string out = std::to_string(static_cast<int>(c.kind)) + " " + c.name;
  for (const config::Pattern& p : c.patterns) {
    out += " {" + std::to_string(static_cast<int>(p.kind)) + (p.ignore_case ? "i " : " ") + p.text + "}";
  }
  for (const config::Condition& inner : c.inner) out += " not " + described(inner);
  return out;
}

void compare(std::uint32_t seed, int tables, std::uint32_t rules_each, int requests_each, const RegexBudget& budget) {
  std::mt19937 random(seed);
  RuleGenerator generator([&random](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); });
  for (int t = 0; t < tables; ++t) {
    const config::Listener rules = generator.rules(1 + static_cast<std::uint32_t>(random() % rules_each));
    config::Diagnostics out("test.yaml", "");
    const auto table = compile_rules(rules, "listeners[0]", out, budget);
    REQUIRE(table != nullptr);
    const auto matcher = table->make_matcher();
    for (int r = 0; r < requests_each; ++r) {
      Request request;
      generator.fill(request);
      const std::string wrong = difference(rules, *matcher, request);
      if (wrong.empty()) continue;
      for (std::size_t i = 0; i < rules.rules.size(); ++i) {
        for (const config::Condition& c : rules.rules[i].conditions)
          UNSCOPED_INFO("rule " << i << ": " << described(c));
      }
      FAIL("seed " << seed << " table " << t << ": " << wrong << "; host " << request.get().host << " path "
                   << request.get().path << " query " << request.get().query);
    }
  }
}

TEST_CASE("random rules: the table equals the plain conditions") {
  compare(std::random_device()(), 1500, 12, 10, RegexBudget());
}

TEST_CASE("random rules: many at a time") {
  compare(std::random_device()(), 100, 60, 20, RegexBudget());
  compare(std::random_device()(), 15, 600, 20, RegexBudget());
}

TEST_CASE("random rules: with no memory for regex sets") {
  compare(std::random_device()(), 200, 100, 10, RegexBudget{.set = 1});
}

}  // namespace
}  // namespace albatross::test
