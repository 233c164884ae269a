// The bytes that a Session will write to its Transport. Those of this turn are views; those that could not be written
// yet are in blocks that the Output owns.
//
// Borrowed views and reserved scratch are valid until the session settles (session/session_context.h): it then writes
// them, and own_all() copies what is left. Usually nothing is copied: a head in the scratch and a body in the read
// buffer leave in one sendmsg. One thread: the worker's.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/buffer.h"

namespace albatross {

// A worker's scratch for heads and chunk framing, shared by its outputs; cleared when all of them have settled.
class OutputScratch {
 public:
  static constexpr std::size_t kSize = 128 * 1024;
  // `n` bytes; null if no room is left.
  char* take(std::size_t n) {
    if (used_ + n > kSize) return nullptr;
    char* p = memory_.get() + used_;
    used_ += n;
    return p;
  }
  // Returns the last `n` bytes of the last take().
  void give_back(std::size_t n) { used_ -= n; }
  void clear() { used_ = 0; }

 private:
  std::unique_ptr<char[]> memory_{new char[kSize]};
  std::size_t used_ = 0;
};

class Output {
 public:
  static constexpr int kParts = 8;  // the most views

  // The pool and the scratch are the worker's.
  Output(BlockPool& pool, OutputScratch& scratch) : owned_(pool), scratch_(&scratch) {}

  // At least `n` writable bytes at the end. The next call must be commit() with the number of bytes used.
  char* reserve(std::size_t n);
  void commit(std::size_t n);
  // Adds a view of bytes that stay valid until settle time.
  void borrow(std::string_view bytes);
  // Adds a copy of the bytes.
  void append(std::string_view bytes);
  // Copies what is borrowed into blocks.
  void own_all();
  // While on, all bytes are copied into blocks at once and none are borrowed: for what is written after settle time.
  void set_gathering(bool on);
  bool gathering() const { return gathering_; }

  bool empty() const { return owned_.empty() && count_ == 0; }
  std::size_t size() const { return owned_.size() + borrowed_size_; }
  // Bytes consumed since construction; passed() + size() is the offset of the next byte that is added.
  std::uint64_t passed() const { return passed_; }
  std::uint64_t end() const { return passed_ + size(); }
  bool has_borrowed() const { return count_ > 0; }
  int borrowed_parts() const { return count_; }
  // Views of the first bytes, at most `max`; returns how many.
  int peek(iovec* parts, int max) const;
  // Drops the first `n` bytes, which were written.
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
