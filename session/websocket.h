// Follows WebSocket frame boundaries (RFC 6455 §5.2) by the frames' headers, to find where a close frame of ours may
// be put between the peer's frames. A value, one for each direction of a tunnel; one thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace albatross {

class FrameTracker {
 public:
  // Follows the bytes of one direction.
  void feed(std::string_view bytes);
  // How many of the bytes complete the current frame; all of them if the frame goes on after them.
  std::size_t until_boundary(std::string_view bytes) const;
  bool at_boundary() const { return left_ == 0 && have_ == 0; }
  // Whether the peer has sent a close frame itself.
  bool closed() const { return closed_; }

 private:
  bool step(std::string_view bytes, std::size_t& at);
  std::uint64_t left_ = 0;  // bytes of payload still to come
  std::uint8_t header_[14];
  std::uint8_t have_ = 0;
  bool closed_ = false;
};

// Writes a close frame with code 1001, masked (with a key of zeros) if it goes to a server. Needs 8 bytes at most;
// returns the size.
std::size_t write_going_away(bool masked, char* out);

}  // namespace albatross
