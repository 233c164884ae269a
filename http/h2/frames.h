// Follows the frames of one direction of an HTTP/2 connection by their headers (RFC 9113 §4.1), to tell whether a
// header block is under way. nghttp2 does not report blocks that it drops. A value of one connection; one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace albatross {

class H2Frames {
 public:
  // `preface`: how many bytes come before the first frame.
  explicit H2Frames(std::uint32_t preface) : left_(preface) {}

  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t n = std::min<std::size_t>(bytes.size(), left_);
      left_ -= static_cast<std::uint32_t>(n);
      bytes.remove_prefix(n);
      if (left_ == 0 && open_ == Open::kLast) open_ = Open::kNone;
      while (!bytes.empty() && left_ == 0 && have_ < kHeader) {
        header_[have_++] = static_cast<std::uint8_t>(bytes.front());
        bytes.remove_prefix(1);
      }
      if (have_ == kHeader) begin();
    }
  }

  // Whether it is between the header of a HEADERS frame and the end of its block.
  bool in_block() const { return open_ != Open::kNone; }
  // The number of header blocks that have begun so far.
  std::uint32_t blocks() const { return blocks_; }

 private:
  static constexpr std::uint8_t kHeader = 9, kHeaders = 1, kContinuation = 9, kEndHeaders = 4;
  enum class Open : std::uint8_t { kNone, kMore, kLast };  // kLast: the frame under way ends the block

  void begin() {
    have_ = 0;
    left_ = static_cast<std::uint32_t>(header_[0] << 16 | header_[1] << 8 | header_[2]);
    std::uint8_t type = header_[3];
    if (type == kHeaders) ++blocks_;
    bool block = type == kHeaders || (type == kContinuation && open_ != Open::kNone);
    open_ = !block                            ? Open::kNone
            : (header_[4] & kEndHeaders) == 0 ? Open::kMore
            : left_ == 0                      ? Open::kNone
                                              : Open::kLast;
  }

  std::uint8_t header_[kHeader];
  std::uint8_t have_ = 0;
  Open open_ = Open::kNone;
  std::uint32_t left_;  // bytes to come of the payload under way
  std::uint32_t blocks_ = 0;
};

}  // namespace albatross
