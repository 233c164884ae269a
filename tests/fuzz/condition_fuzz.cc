// A fuzzer's bytes as rules and requests: the compiled table must equal the conditions one by one.
#include <cstdlib>
#include <iostream>

#include "routing/rules/condition.h"
#include "tests/unit/routing/rule_generator.h"

namespace albatross::test {
namespace {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  std::uint32_t below(std::uint32_t n) { return size_ == 0 ? 0 : next() % n; }
  std::string text(std::uint32_t longest) {
    std::string out;
    for (std::uint32_t n = below(longest + 1); n > 0 && size_ > 0; --n) out += static_cast<char>(next());
    return out;
  }
  bool empty() const { return size_ == 0; }

 private:
  std::uint8_t next() {
    --size_;
    return *data_++;
  }

  const std::uint8_t* data_;
  std::size_t size_;
};

// A rule of the fuzzer's own text, beside those of the small alphabet.
void add_free_rule(config::Listener& rules, Bytes& bytes) {
  config::Pattern pattern{static_cast<config::Pattern::Kind>(bytes.below(4)), bytes.below(2) == 1, bytes.text(24), {}};
  if (pattern.kind == config::Pattern::Kind::kRegex) {
    if (!RE2(pattern.text, regex_options(pattern.ignore_case, RegexBudget().pattern)).ok()) return;
  }
  const auto kind = static_cast<Kind>(bytes.below(5));
  add_rule(rules, {condition(kind, {pattern}, "a")});
}

void run(Bytes bytes) {
  RuleGenerator generator([&bytes](std::uint32_t n) { return bytes.below(n); });
  config::Listener rules = generator.rules(bytes.below(5));
  for (std::uint32_t n = bytes.below(4); n > 0; --n) add_free_rule(rules, bytes);
  const auto matcher = matcher_of(rules);
  if (matcher == nullptr) std::abort();
  do {
    Request request;
    generator.fill(request);
    if (bytes.below(2) == 1) request.path("/" + bytes.text(24)).host(bytes.text(24)).query("a=" + bytes.text(24));
    if (bytes.below(2) == 1) request.field("a", bytes.text(24)).field("Cookie", "a=" + bytes.text(24));
    const std::string wrong = difference(rules, *matcher, request);
    if (wrong.empty()) continue;
    std::cerr << wrong << '\n';
    std::abort();
  } while (!bytes.empty());
}

}  // namespace
}  // namespace albatross::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size <= 512) albatross::test::run({data, size});
  return 0;
}
