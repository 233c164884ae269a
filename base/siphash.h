// SipHash-2-4 (Aumasson, Bernstein), a keyed hash for values that clients choose; a comparison for secrets; random
// numbers. Values that own nothing; any thread, except that a Random belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace albatross {

using SipKey = std::array<std::uint64_t, 2>;
std::uint64_t siphash(const SipKey& key, std::string_view bytes);
// A key from the kernel's random numbers.
SipKey random_key();
// For secrets: the time that it takes depends on the sizes only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// The xorshift128+ generator, for jitter, ids and offsets; not for secrets. One thread.
class Random {
 public:
  Random();  // seeded from the kernel
  explicit Random(std::uint64_t seed) : state_{seed, seed ^ 0x9e3779b97f4a7c15u} { next(); }
  std::uint64_t next();
  // 0 to n - 1; 0 if n is 0.
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }

 private:
  std::uint64_t state_[2];
};

}  // namespace albatross
