#include "base/arena.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace albatross::base_test {

TEST_CASE("an arena that is not used holds nothing") {
  Arena arena;
  CHECK(arena.footprint() == 0);
  arena.reset();
  CHECK(arena.footprint() == 0);
}

TEST_CASE("allocations are aligned and do not overlap") {
  Arena arena(256);
  std::vector<std::pair<unsigned char*, std::size_t>> made;
  for (std::size_t i = 1; i < 300; ++i) {
    std::size_t align = std::size_t{1} << (i % 5);
    auto* p = static_cast<unsigned char*>(arena.allocate(i % 40, align));
    CHECK(reinterpret_cast<std::uintptr_t>(p) % align == 0);
    for (std::size_t k = 0; k < i % 40; ++k) p[k] = static_cast<unsigned char>(i);
    made.emplace_back(p, i);
  }
  for (auto [p, i] : made) {
    for (std::size_t k = 0; k < i % 40; ++k) REQUIRE(p[k] == static_cast<unsigned char>(i));
  }
  double* numbers = arena.array<double>(10);
  CHECK(reinterpret_cast<std::uintptr_t>(numbers) % alignof(double) == 0);
}

TEST_CASE("resetting keeps the first chunk and frees the others") {
  Arena arena(1024);
  void* first = arena.allocate(100);
  for (int i = 0; i < 100; ++i) arena.allocate(500);
  CHECK(arena.footprint() > 20'000);
  arena.reset();
  CHECK(arena.footprint() == 1024);
  CHECK(arena.allocate(100) == first);
}

TEST_CASE("an allocation larger than a chunk gets its own") {
  Arena arena(128);
  char* big = arena.bytes(100'000);
  big[0] = big[99'999] = 'x';
  CHECK(arena.footprint() >= 100'000);
  std::string_view small = arena.copy("small");
  CHECK(small == "small");
  CHECK(big[99'999] == 'x');
  arena.reset();
  CHECK(arena.footprint() <= 128);
  CHECK(arena.copy("again") == "again");
}

TEST_CASE("copies and concatenations stay when their sources go") {
  Arena arena;
  std::string a = "one", b = "two";
  std::string_view copy = arena.copy(a);
  std::string_view both = arena.concat(std::string_view(a), std::string_view(", "), b);
  a = b = "---";
  CHECK(copy == "one");
  CHECK(both == "one, two");
  CHECK(arena.copy("").empty());
  CHECK(arena.copy({}).empty());
  CHECK(arena.concat(std::string_view(), std::string_view("x"), std::string_view()) == "x");
  CHECK(arena.concat(std::string_view()).empty());
}

}  // namespace albatross::base_test
