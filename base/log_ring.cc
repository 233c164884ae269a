#include "base/log_ring.h"

#include <bit>
#include <cstring>

namespace albatross {

LogRing::LogRing(std::size_t capacity)
    : mask_(std::bit_ceil(capacity) - 1), memory_(new char[std::bit_ceil(capacity)]) {}

char* LogRing::reserve(std::size_t size) {
  std::size_t need = padded(size);
  std::uint64_t head = head_.load(std::memory_order_relaxed);
  std::size_t at = head & mask_;
  std::size_t to_end = mask_ + 1 - at;
  std::size_t total = need <= to_end ? need : to_end + need;
  if (head + total - cached_tail_ > mask_ + 1) {
    cached_tail_ = tail_.load(std::memory_order_acquire);
    if (head + total - cached_tail_ > mask_ + 1) {
      dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return nullptr;
    }
  }
  if (need > to_end) {
    Header wrap{kWrap, 0};
    std::memcpy(memory_.get() + at, &wrap, sizeof wrap);
    at = 0;
  }
  Header h{static_cast<std::uint32_t>(size), 0};
  std::memcpy(memory_.get() + at, &h, sizeof h);
  pending_ = head + total;
  return memory_.get() + at + sizeof(Header);
}

void LogRing::commit() { head_.store(pending_, std::memory_order_release); }

std::string_view LogRing::front() {
  std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  while (tail != head_.load(std::memory_order_acquire)) {
    std::size_t at = tail & mask_;
    Header h;
    std::memcpy(&h, memory_.get() + at, sizeof h);
    if (h.size != kWrap) return {memory_.get() + at + sizeof(Header), h.size};
    tail += mask_ + 1 - at;
    tail_.store(tail, std::memory_order_release);
  }
  return {};
}

void LogRing::pop() {
  std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  Header h;
  std::memcpy(&h, memory_.get() + (tail & mask_), sizeof h);
  tail_.store(tail + padded(h.size), std::memory_order_release);
}

bool LogRing::over_half() const {
  return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_relaxed) > (mask_ + 1) / 2;
}

}  // namespace albatross
