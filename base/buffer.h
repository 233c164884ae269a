// Bytes that wait: a FIFO of 16 KiB blocks from a pool.
//
// A BlockPool belongs to one worker and keeps a bounded number of free blocks. A Buffer owns its blocks and gives them
// back as they empty, so an idle Buffer holds no memory. One thread: the pool's.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace albatross {

struct Block {
  static constexpr std::size_t kSize = 16 * 1024 - 16;
  Block* next;
  std::uint32_t begin;
  std::uint32_t end;
  char data[kSize];
};

class BlockPool {
 public:
  explicit BlockPool(std::size_t keep = 256) : keep_(keep) {}
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  Block* take();
  void give(Block* b);
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

  void append(std::string_view bytes);
  // At most Block::kSize contiguous bytes at the end; commit() what was used of them before any other call.
  char* reserve(std::size_t n);
  void commit(std::size_t n);
  // Up to `max` views of the front; returns how many.
  int peek(iovec* out, int max) const;
  // f(view) for each piece, in order.
  template <class F>
  void each(F f) const {
    for (const Block* b = head_; b != nullptr; b = b->next) f(std::string_view(b->data + b->begin, b->end - b->begin));
  }
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
