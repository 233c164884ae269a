// Bytes on their way to a transport: what was serialised this turn as views, what could not be written yet as owned
// blocks.
//
// Views (borrow) and scratch (reserve) are good until settle-time: the Session then writes them or calls own_all(),
// which copies the rest. In the normal case nothing is copied: a head in scratch and a body in the read buffer leave in
// one sendmsg. One thread.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/buffer.h"

namespace albatross {

// A worker's scratch for heads and chunk framing; cleared when every output has settled.
class OutputScratch {
 public:
  static constexpr std::size_t kSize = 128 * 1024;
  char* take(std::size_t n) {
    if (used_ + n > kSize) return nullptr;
    char* p = memory_.get() + used_;
    used_ += n;
    return p;
  }
  void give_back(std::size_t n) { used_ -= n; }
  void clear() { used_ = 0; }

 private:
  std::unique_ptr<char[]> memory_{new char[kSize]};
  std::size_t used_ = 0;
};

class Output {
 public:
  static constexpr int kParts = 8;

  Output(BlockPool& pool, OutputScratch& scratch) : owned_(pool), scratch_(&scratch) {}

  // At least `n` writable bytes; commit() what was used of them before the next call.
  char* reserve(std::size_t n);
  void commit(std::size_t n);
  // Bytes that stay good until settle time.
  void borrow(std::string_view bytes);
  void append(std::string_view bytes);  // copies
  // Views become owned bytes.
  void own_all();
  // While on, everything is copied into owned blocks at once, and nothing is borrowed: for what is written later than
  // at settle time.
  void set_gathering(bool on);
  bool gathering() const { return gathering_; }

  bool empty() const { return owned_.empty() && count_ == 0; }
  std::size_t size() const { return owned_.size() + borrowed_size_; }
  // Bytes that were taken from the front since it was made; passed() + size() is the offset of what is put in next.
  std::uint64_t passed() const { return passed_; }
  std::uint64_t end() const { return passed_ + size(); }
  bool has_borrowed() const { return count_ > 0; }
  int borrowed_parts() const { return count_; }
  // The front, at most `max` views; then drop what was written.
  int peek(iovec* parts, int max) const;
  void consume(std::size_t n);
  void clear();

 private:
  void push(const char* p, std::size_t n);

  Buffer owned_;  // goes first
  OutputScratch* scratch_;
  iovec parts_[kParts];
  int count_ = 0;
  std::size_t borrowed_size_ = 0;
  std::uint64_t passed_ = 0;
  char* reserved_ = nullptr;
  std::size_t reserved_size_ = 0;
  bool gathering_ = false;
  bool in_block_ = false;          // the reservation is at the end of owned_
  std::unique_ptr<char[]> large_;  // a reservation that the scratch had no room for
};

}  // namespace albatross
