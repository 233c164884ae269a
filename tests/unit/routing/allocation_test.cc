// match() does not touch the heap once it is warm. Counts by replacing operator new for the
// whole binary, so this file shares one only with tests that do not do the same.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <new>

#include "tests/unit/routing/routing_support.h"

namespace {
std::size_t allocations = 0;
}  // namespace

// Every form that may meet another of these: the sanitizers bring a full set of their own.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return operator new(size, std::nothrow); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace albatross::test {
namespace {

TEST_CASE("matching allocates nothing once it is warm") {
  config::Listener rules;
  for (int i = 0; i < 200; ++i) {
    const std::string n = std::to_string(i);
    add_rule(rules, {host({exact("h" + n)}), path({prefix("/p" + n), wildcard("/w" + n + "/*")})});
    add_rule(rules, {host({wildcard("*.h" + n)}), header("x-n", {exact(n), regex("^" + n + "-")})});
    add_rule(rules, {path({regex("^/r" + n + "/([0-9]+)/")}), cookie("c", {exact(n)})});
    add_rule(rules, {path({regex("x" + n + "y$")}), query("q", {exact(n), regex("[" + n + "]z")})});
    add_rule(rules, {host({regex("^t" + n + "\\.")}), source_ip({"10.0.0.0/8"}), negate(method({exact("GET")}))});
  }
  const auto matcher = matcher_of(rules);
  Request requests[6];
  requests[0].host("H150:8080").path("/w150/x");
  requests[1].host("a.b.c.h77").field("X-N", "1").field("X-N", "77-x");
  requests[2].path("/r42/123/x").field("Cookie", "a=b; c=1; c=42");
  requests[3].path("/a/x199y").query("q=%20&q=%31%39z");
  requests[4].host("t5.example.com").method("POST").from("10.0.0.1");
  requests[5].host("nowhere").path("/nothing/here").query("a=b&c=d");
  std::uint32_t expected[6];
  for (int i = 0; i < 6; ++i) expected[i] = matcher->match(requests[i].get()).rule;
  CHECK(expected[0] == 750);
  CHECK(expected[1] == 386);
  CHECK(expected[2] == 212);
  CHECK(expected[3] == 998);
  CHECK(expected[4] == 29);
  CHECK(expected[5] == 1000);

  bool same = true;
  const std::size_t before = allocations;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 6; ++i) same = same && matcher->match(requests[i].get()).rule == expected[i];
  }
  const std::size_t after = allocations;
  CHECK(same);
  CHECK(before > 0);  // it does count
  CHECK(after - before == 0);
}

}  // namespace
}  // namespace albatross::test
