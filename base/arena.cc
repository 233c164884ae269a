#include "base/arena.h"

namespace albatross {
namespace {

constexpr std::size_t kMaxSpares = 64;
thread_local std::vector<std::unique_ptr<char[]>> spares;

}  // namespace

std::unique_ptr<char[]> Arena::take_spare() {
  if (spares.empty()) return std::unique_ptr<char[]>(new char[kSpare]);
  std::unique_ptr<char[]> chunk = std::move(spares.back());
  spares.pop_back();
  return chunk;
}

void Arena::give_back() {
  for (Chunk& c : extra_) {
    if (c.size == kSpare && spares.size() < kMaxSpares) spares.push_back(std::move(c.memory));
  }
  extra_.clear();
}

}  // namespace albatross
