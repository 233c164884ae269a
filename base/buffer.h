// Buffer: a FIFO of bytes in 16 KiB blocks, and BlockPool, where the blocks come from.
//
// A BlockPool belongs to one worker and keeps a bounded number of free blocks. A Buffer owns its blocks and gives each
// back to the pool when it is empty, so an empty Buffer holds no memory. One thread: the pool's.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace albatross {

// 16 KiB with its header; the bytes in use are data[begin, end).
struct Block {
  static constexpr std::size_t kSize = 16 * 1024 - 16;
  Block* next;
  std::uint32_t begin;
  std::uint32_t end;
  char data[kSize];
};

class BlockPool {
 public:
  // Keeps at most `keep` free blocks; the others go back to the heap.
  explicit BlockPool(std::size_t keep = 256) : keep_(keep) {}
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // An empty block, from the heap if none is free. Never null.
  Block* take();
  void give(Block* b);
  // Blocks that were taken and not given back.
  std::size_t outstanding() const { return outstanding_; }

 private:
  Block* free_ = nullptr;
  std::size_t kept_ = 0;
  std::size_t keep_;
  std::size_t outstanding_ = 0;
};

class Buffer {
 public:
  explicit Buffer(BlockPool& pool) : pool_(&pool) {}
  ~Buffer() { clear(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Copies the bytes to the end.
  void append(std::string_view bytes);
  // `n` (at most Block::kSize) contiguous bytes at the end. The next call must be commit() with the number of bytes
  // used.
  char* reserve(std::size_t n);
  void commit(std::size_t n);
  // Views of the first bytes, at most `max`; returns how many. Valid until the next call that is not const.
  int peek(iovec* out, int max) const;
  // f(view) for each piece, in order.
  template <class F>
  void each(F f) const {
    for (const Block* b = head_; b != nullptr; b = b->next) f(std::string_view(b->data + b->begin, b->end - b->begin));
  }
  // Drops the first `n` bytes; `n` is at most size().
  void consume(std::size_t n);
  void clear();
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  BlockPool* pool_;
  Block* head_ = nullptr;
  Block* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace albatross
