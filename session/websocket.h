// WebSocket frame boundaries (RFC 6455 §5.2), headers only: where a close frame of ours may be put between the peer's
// frames. Pure state; one for each direction of a tunnel.
#pragma once

#include <cstdint>
#include <string_view>

namespace albatross {

class FrameTracker {
 public:
  // Follows the bytes of one direction.
  void feed(std::string_view bytes);
  // How many bytes of `bytes` complete the current frame; all of them if it goes on beyond.
  std::size_t until_boundary(std::string_view bytes) const;
  bool at_boundary() const { return left_ == 0 && have_ == 0; }
  // The peer has sent a close frame itself.
  bool closed() const { return closed_; }

 private:
  bool step(std::string_view bytes, std::size_t& at);
  std::uint64_t left_ = 0;  // payload still to come
  std::uint8_t header_[14];
  std::uint8_t have_ = 0;
  bool closed_ = false;
};

// A close frame with code 1001, masked (with a zero key) when it goes to a server. At most 8 bytes; returns the size.
std::size_t write_going_away(bool masked, char* out);

}  // namespace albatross
