#include "session/websocket.h"

#include <algorithm>

namespace albatross {

// Processes header bytes or payload from `at` to the end of a header or frame. False when more bytes are needed.
bool FrameTracker::step(std::string_view bytes, std::size_t& at) {
  if (left_ > 0) {
    std::uint64_t n = std::min<std::uint64_t>(left_, bytes.size() - at);
    left_ -= n;
    at += static_cast<std::size_t>(n);
    return left_ == 0;
  }
  while (at < bytes.size()) {
    header_[have_++] = static_cast<std::uint8_t>(bytes[at++]);
    if (have_ < 2) continue;
    std::uint8_t length = header_[1] & 0x7f;
    std::uint8_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    std::uint8_t need = static_cast<std::uint8_t>(2 + extended + ((header_[1] & 0x80) != 0 ? 4 : 0));
    if (have_ < need) continue;
    left_ = length;
    if (extended != 0) {
      left_ = 0;
      for (int i = 0; i < extended; ++i) left_ = left_ << 8 | header_[2 + i];
    }
    if ((header_[0] & 0x0f) == 8) closed_ = true;
    have_ = 0;
    return true;
  }
  return false;
}

void FrameTracker::feed(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) step(bytes, at);
}

std::size_t FrameTracker::until_boundary(std::string_view bytes) const {
  FrameTracker copy = *this;
  std::size_t at = 0;
  while (at < bytes.size() && !copy.at_boundary()) copy.step(bytes, at);
  return at;
}

std::size_t write_going_away(bool masked, char* out) {
  std::size_t n = 0;
  out[n++] = static_cast<char>(0x88);
  out[n++] = static_cast<char>(masked ? 0x82 : 0x02);
  if (masked) {
    for (int i = 0; i < 4; ++i) out[n++] = 0;
  }
  out[n++] = 0x03;
  out[n++] = static_cast<char>(0xe9);
  return n;
}

}  // namespace albatross
