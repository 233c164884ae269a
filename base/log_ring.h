// A byte ring for records of variable size, from one writer thread to one reader thread. It never blocks: a record that
// does not fit is dropped and counted. The ring owns its memory; a record that was read is valid until pop().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace albatross {

class LogRing {
 public:
  // `capacity` in bytes, rounded up to a power of two.
  explicit LogRing(std::size_t capacity);

  // Writer. Space for one record of exactly `size` bytes, to be filled and then committed. Null if there is none; the
  // record then counts as dropped.
  char* reserve(std::size_t size);
  void commit();

  // Reader. The oldest record; an empty view if there is none.
  std::string_view front();
  void pop();

  // Records dropped so far. Any thread.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  // Writer. Whether more than half of the ring is in use, so that the reader should be woken early.
  bool over_half() const;

 private:
  struct Header {
    std::uint32_t size;  // kWrap: the rest of the ring is unused
    std::uint32_t pad;
  };
  static constexpr std::uint32_t kWrap = 0xffffffff;
  static std::size_t padded(std::size_t n) { return (n + sizeof(Header) + 7) & ~std::size_t{7}; }

  std::size_t mask_;
  std::unique_ptr<char[]> memory_;
  alignas(64) std::atomic<std::uint64_t> head_{0};  // written by the writer
  std::uint64_t pending_ = 0;
  std::uint64_t cached_tail_ = 0;
  std::atomic<std::uint64_t> dropped_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // written by the reader
};

}  // namespace albatross
