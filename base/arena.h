// A bump allocator for one exchange: many small allocations, all freed at once.
//
// The arena owns its chunks. Memory that it hands out is valid until reset() or destruction. No destructors run, so
// only trivially destructible types are allowed. reset() keeps the first chunk, and further chunks come from a few
// spare ones of the thread, so a recycled arena does not use the heap in the steady state. One thread.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace albatross {

class Arena {
 public:
  // `first_chunk`: the size of the first chunk in bytes. It is allocated when it is needed.
  explicit Arena(std::size_t first_chunk = 4096) : chunk_size_(first_chunk) {}
  ~Arena() { give_back(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Never null; the memory is not initialised. `align` is a power of two, at most that of max_align_t.
  void* allocate(std::size_t bytes, std::size_t align = alignof(std::max_align_t)) {
    std::size_t at = (used_ + align - 1) & ~(align - 1);
    if (current_ == nullptr || at + bytes > capacity_) return grow(bytes);
    used_ = at + bytes;
    return current_ + at;
  }

  // `n` elements, not initialised.
  template <class T>
  T* array(std::size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(allocate(n * sizeof(T), alignof(T)));
  }

  char* bytes(std::size_t n) { return static_cast<char*>(allocate(n, 1)); }

  // A copy of the text that lives in the arena.
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* p = bytes(text.size());
    std::memcpy(p, text.data(), text.size());
    return {p, text.size()};
  }

  // Concatenates the parts into a text in the arena.
  template <class... Parts>
  std::string_view concat(const Parts&... parts) {
    std::size_t total = (std::string_view(parts).size() + ... + 0);
    char* start = bytes(total);
    char* p = start;
    ((p = put(p, parts)), ...);
    return {start, total};
  }

  // Frees everything but the first chunk.
  void reset() {
    give_back();
    current_ = first_.get();
    capacity_ = current_ != nullptr ? chunk_size_ : 0;
    used_ = 0;
  }

  // Bytes allocated from the heap, used or not.
  std::size_t footprint() const { return (first_ ? chunk_size_ : 0) + extra_bytes(); }

 private:
  struct Chunk {
    std::unique_ptr<char[]> memory;
    std::size_t size;
  };

  static char* put(char* p, std::string_view text) {
    if (!text.empty()) std::memcpy(p, text.data(), text.size());
    return p + text.size();
  }

  void* grow(std::size_t bytes) {
    if (!first_ && bytes <= chunk_size_) {
      first_.reset(new char[chunk_size_]);
      current_ = first_.get();
      capacity_ = chunk_size_;
    } else {
      std::size_t size = bytes > kSpare ? bytes : kSpare;
      extra_.push_back({size == kSpare ? take_spare() : std::unique_ptr<char[]>(new char[size]), size});
      current_ = extra_.back().memory.get();
      capacity_ = size;
    }
    used_ = bytes;
    return current_;
  }

  std::size_t extra_bytes() const {
    std::size_t total = 0;
    for (const Chunk& c : extra_) total += c.size;
    return total;
  }

  static constexpr std::size_t kSpare = 16 * 1024;
  static std::unique_ptr<char[]> take_spare();
  void give_back();

  std::size_t chunk_size_;
  std::unique_ptr<char[]> first_;
  std::vector<Chunk> extra_;
  char* current_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

}  // namespace albatross
