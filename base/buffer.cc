#include "base/buffer.h"

#include <algorithm>
#include <cstring>

namespace albatross {

BlockPool::~BlockPool() {
  while (free_ != nullptr) {
    Block* next = free_->next;
    delete free_;
    free_ = next;
  }
}

Block* BlockPool::take() {
  ++outstanding_;
  Block* b = free_;
  if (b != nullptr) {
    free_ = b->next;
    --kept_;
  } else {
    b = new Block;
  }
  b->next = nullptr;
  b->begin = b->end = 0;
  return b;
}

void BlockPool::give(Block* b) {
  --outstanding_;
  if (kept_ >= keep_) {
    delete b;
    return;
  }
  b->next = free_;
  free_ = b;
  ++kept_;
}

void Buffer::append(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    reserve(1);
    std::size_t n = std::min(bytes.size(), Block::kSize - tail_->end);
    std::memcpy(tail_->data + tail_->end, bytes.data(), n);
    tail_->end += static_cast<std::uint32_t>(n);
    bytes.remove_prefix(n);
  }
}

char* Buffer::reserve(std::size_t n) {
  if (tail_ == nullptr || Block::kSize - tail_->end < n) {
    Block* b = pool_->take();
    (tail_ == nullptr ? head_ : tail_->next) = b;
    tail_ = b;
  }
  return tail_->data + tail_->end;
}

void Buffer::commit(std::size_t n) {
  tail_->end += static_cast<std::uint32_t>(n);
  size_ += n;
}

int Buffer::peek(iovec* out, int max) const {
  int n = 0;
  for (Block* b = head_; b != nullptr && n < max; b = b->next) out[n++] = {b->data + b->begin, b->end - b->begin};
  return n;
}

void Buffer::consume(std::size_t n) {
  size_ -= n;
  while (n > 0) {
    std::size_t here = std::min<std::size_t>(n, head_->end - head_->begin);
    head_->begin += static_cast<std::uint32_t>(here);
    n -= here;
    if (head_->begin == head_->end) {
      Block* next = head_->next;
      pool_->give(head_);
      head_ = next;
      if (head_ == nullptr) tail_ = nullptr;
    }
  }
}

void Buffer::clear() {
  while (head_ != nullptr) {
    Block* next = head_->next;
    pool_->give(head_);
    head_ = next;
  }
  tail_ = nullptr;
  size_ = 0;
}

}  // namespace albatross
