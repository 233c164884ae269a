// Tracks where WebSocket frames begin in either direction of a tunnel, so that our close frame comes between two of
// them (RFC 6455 §5.5.1). A member of an Exchange; holds no bytes. Worker's thread.
#pragma once

#include "session/pump.h"
#include "session/stream.h"
#include "session/websocket.h"

namespace albatross {

class WebSocketTunnel {
 public:
  void begin() { from_client_ = from_server_ = FrameTracker(); }
  FrameTracker& from_client() { return from_client_; }
  FrameTracker& from_server() { return from_server_; }
  bool between_frames() const { return from_client_.at_boundary() && from_server_.at_boundary(); }

  // Passes on bytes of one direction. With `ending`, only the rest of the frame under way is passed on, and the result
  // is true when that frame is complete.
  static bool pass(Pump& pump, Stream& to, FrameTracker& frames, std::string_view data, bool ending) {
    if (!ending) {
      frames.feed(data);
      pump.data(to, data);
      return false;
    }
    const std::size_t n = frames.until_boundary(data);
    frames.feed(data.substr(0, n));
    pump.data(to, data.substr(0, n));
    return n < data.size() || frames.at_boundary();
  }

  // Sends a close frame to each side where a frame may begin. Inside another frame it would be read as payload. Either
  // side may be null.
  void send_going_away(Stream* client, Stream* server, Arena& arena);

 private:
  FrameTracker from_client_;
  FrameTracker from_server_;
};

}  // namespace albatross
