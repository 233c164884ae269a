#include "base/siphash.h"

#include <sys/random.h>

#include <bit>
#include <cstdlib>
#include <cstring>

namespace albatross {
namespace {
void from_kernel(void* p, std::size_t n) {
  if (getrandom(p, n, 0) != static_cast<ssize_t>(n)) std::abort();  // at start-up only, and never under 256 bytes
}
struct State {
  std::uint64_t v0, v1, v2, v3;
  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13);
    v1 ^= v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16);
    v3 ^= v2;
    v0 += v3;
    v3 = std::rotl(v3, 21);
    v3 ^= v0;
    v2 += v1;
    v1 = std::rotl(v1, 17);
    v1 ^= v2;
    v2 = std::rotl(v2, 32);
  }
};
}  // namespace

std::uint64_t siphash(const SipKey& key, std::string_view bytes) {
  State s{0x736f6d6570736575u ^ key[0], 0x646f72616e646f6du ^ key[1], 0x6c7967656e657261u ^ key[0],
          0x7465646279746573u ^ key[1]};
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, p += 8) {
    std::uint64_t m;
    std::memcpy(&m, p, 8);
    s.v3 ^= m;
    s.round();
    s.round();
    s.v0 ^= m;
  }
  std::uint64_t m = static_cast<std::uint64_t>(bytes.size()) << 56;
  for (std::size_t i = 0; i < left; ++i) m |= static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])) << (8 * i);
  s.v3 ^= m;
  s.round();
  s.round();
  s.v0 ^= m;
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference =
        static_cast<unsigned char>(difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
    asm volatile("" : "+r"(difference));  // or the compiler could return early
  }
  return difference == 0;
}

Random::Random() { from_kernel(state_, sizeof state_); }

std::uint64_t Random::next() {
  std::uint64_t a = state_[0], b = state_[1];
  state_[0] = b;
  a ^= a << 23;
  state_[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
  return state_[1] + b;
}

SipKey random_key() {
  SipKey k;
  from_kernel(k.data(), sizeof k);
  return k;
}

}  // namespace albatross
