#include "http/h1/chunked.h"

#include <algorithm>

#include "base/text.h"

namespace albatross {

ChunkedReader::Step ChunkedReader::next(std::string_view bytes, std::size_t& consumed, std::string_view& data) {
  consumed = 0;
  while (consumed < bytes.size()) {
    char c = bytes[consumed];
    switch (state_) {
      case State::kSize: {
        int v = hex_value(c);
        if (v >= 0) {
          if (left_ >> 59 != 0 || ++digits_ > kMaxDigits) return Step::kBad;
          left_ = left_ * 16 + static_cast<std::uint64_t>(v);
          break;
        }
        if (digits_ == 0) return Step::kBad;
        extension_ = 0;
        if (c == '\r') {
          state_ = State::kSizeLf;
        } else if (c == ';') {
          state_ = State::kExtension;
        } else if (c == ' ' || c == '\t') {
          state_ = State::kBlank;
        } else {
          return Step::kBad;
        }
        break;
      }
      case State::kBlank:
        if (++extension_ > kMaxExtension || ++extensions_ > kMaxExtensions) return Step::kBad;
        if (c == ';') {
          state_ = State::kExtension;
        } else if (c != ' ' && c != '\t') {
          return Step::kBad;
        }
        break;
      case State::kExtension:
        if (c == '\r') {
          state_ = State::kSizeLf;
          break;
        }
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return Step::kBad;
        if (++extension_ > kMaxExtension || ++extensions_ > kMaxExtensions) return Step::kBad;
        break;
      case State::kSizeLf:
        if (c != '\n') return Step::kBad;
        digits_ = 0;
        ++consumed;
        if (left_ == 0) {
          state_ = State::kSize;
          return Step::kTrailers;
        }
        state_ = State::kData;
        continue;
      case State::kData: {
        std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - consumed));
        data = bytes.substr(consumed, n);
        consumed += n;
        left_ -= n;
        if (left_ == 0) state_ = State::kDataCr;
        return Step::kData;
      }
      case State::kDataCr:
        if (c != '\r') return Step::kBad;
        state_ = State::kDataLf;
        break;
      case State::kDataLf:
        if (c != '\n') return Step::kBad;
        state_ = State::kSize;
        break;
    }
    ++consumed;
  }
  return Step::kMore;
}

}  // namespace albatross
