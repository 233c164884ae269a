#include "http/h2/memory.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace albatross {
namespace {

// Precedes each piece in memory.
struct alignas(std::max_align_t) Tag {
  std::size_t size;  // usable bytes
  std::uint32_t bin;
  Tag* next;
};

constexpr std::uint32_t kBins = 10;  // 32, 64, ... 16 KiB
constexpr std::uint32_t kLarge = kBins;
constexpr std::size_t kKeep = 1024 * 1024;  // bytes for each bin

struct Bins {
  Tag* free[kBins] = {};
  std::size_t kept[kBins] = {};
  ~Bins() {
    for (Tag*& head : free) {
      while (head != nullptr) {
        Tag* t = head;
        head = t->next;
        std::free(t);
      }
    }
  }
};

Bins& bins() {
  thread_local Bins b;
  return b;
}

std::uint32_t bin_of(std::size_t size) {
  std::uint32_t bin = 0;
  for (std::size_t room = 32; room < size; room *= 2) {
    if (++bin == kBins) return kLarge;
  }
  return bin;
}

void* allocate(std::size_t size, void*) {
  std::uint32_t bin = bin_of(size);
  Tag* t = nullptr;
  if (bin != kLarge) {
    size = std::size_t{32} << bin;
    Bins& b = bins();
    t = b.free[bin];
    if (t != nullptr) {
      b.free[bin] = t->next;
      b.kept[bin] -= size;
    }
  }
  if (t == nullptr) t = static_cast<Tag*>(std::malloc(sizeof(Tag) + size));
  if (t == nullptr) return nullptr;
  t->size = size;
  t->bin = bin;
  return t + 1;
}

void release(void* memory, void*) {
  if (memory == nullptr) return;
  Tag* t = static_cast<Tag*>(memory) - 1;
  if (t->bin != kLarge && bins().kept[t->bin] < kKeep) {
    Bins& b = bins();
    t->next = b.free[t->bin];
    b.free[t->bin] = t;
    b.kept[t->bin] += t->size;
    return;
  }
  std::free(t);
}

void* zeroed(std::size_t n, std::size_t size, void*) {
  std::size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes)) return nullptr;
  void* memory = allocate(bytes, nullptr);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return memory;
}

void* resize(void* memory, std::size_t size, void*) {
  if (memory == nullptr) return allocate(size, nullptr);
  Tag* t = static_cast<Tag*>(memory) - 1;
  if (size <= t->size) return memory;
  void* larger = allocate(size, nullptr);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, t->size);
  release(memory, nullptr);
  return larger;
}

nghttp2_mem functions = {nullptr, allocate, release, zeroed, resize};

}  // namespace

nghttp2_mem* h2_memory() { return &functions; }

}  // namespace albatross
