// One request and its response on one connection, the same type towards clients and servers.
//
// A Stream is owned by its Connection and lives until on_finished, on_reset or release(). It is used on its worker's
// thread. Data handed to send_data stays the caller's until the worker settles (before the caller's next read); credit
// for it comes back by on_sent when the bytes have left our memory. Data received by on_data is owed: consume() gives
// the credit back, and until then no more than a window of it is read. The legal order of what is sent and heard is
// http/direction.h.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/codec.h"
#include "session/connection.h"

namespace albatross {

class StreamEvents {
 public:
  // Where heads of this stream shall live.
  virtual Arena& arena() = 0;
  // A server's stream: the request. A client's: the response, after any informational ones (status < 200).
  virtual void on_head(Stream& s, Head& head, bool end) = 0;
  virtual void on_data(Stream& s, std::string_view data) = 0;
  virtual void on_end(Stream& s, Fields* trailers) = 0;
  // A server's stream: the client's message broke a rule or a limit. Nothing more of it comes; an answer may go out,
  // and the connection closes after it.
  virtual void on_refused(Stream& s, Cause cause, const char* detail) = 0;
  // The stream is gone: cut, reset, or its connection lost. The last call.
  virtual void on_reset(Stream& s, const Error& error) = 0;
  virtual void on_sent(Stream& s, std::size_t bytes) = 0;
  // A server's stream: the answer has left, the stream is over. The last call.
  virtual void on_finished(Stream& s) = 0;

 protected:
  ~StreamEvents() = default;
};

class Stream final : public WireStream, public ListHook<Stream> {
 public:
  explicit Stream(BlockPool& pool) : WireStream(pool) {}

  void send_head(const Head& head, bool end) { control_->send_head(*this, head, end); }
  void send_data(std::string_view data) { control_->send_data(*this, data); }
  void send_end(const Fields* last) { control_->send_end(*this, last); }
  // Credit for received bytes.
  void consume(std::size_t bytes) { control_->consume(*this, bytes); }
  // Cuts it now: the peer sees an abort, never a clean end. No events follow.
  void reset() { control_->reset(*this); }
  // A client's stream after its response is whole: the connection may serve again. No events follow.
  void release() { control_->release(*this); }
  // Both directions become verbatim bytes; after the 101 was sent or received.
  void start_tunnel() { control_->start_tunnel(*this); }
  // Ends a tunnel behind what was sent. True if on_finished will tell (a server's); false if no events follow.
  bool end_tunnel() { return control_->end_tunnel(*this); }
  // How long the peer may take nothing of what is sent on this stream, nanoseconds; 0: for ever.
  void set_send_timeout(Nanos t) { send_timeout_ = t; }
  // The next move is the peer's: we would take data, and it has sent none.
  bool waiting_for_peer() const { return control_->waiting_for_peer(*this); }

  Connection& connection() const { return *connection_; }
  // A final head was given to send.
  bool head_sent() const { return out != Direction::kIdle; }
  // Nothing more will be given to send.
  bool out_done() const { return out == Direction::kEnded; }
  // The peer's message is whole.
  bool in_done() const { return in == Direction::kEnded; }

  StreamEvents* events = nullptr;

 private:
  friend class Session;
  friend class Streams;
  friend class SerialStreams;
  friend class MuxStreams;
  void begin(Connection& connection, StreamControl& control, Nanos send_timeout);

  Connection* connection_ = nullptr;
  StreamControl* control_ = nullptr;
  Nanos send_timeout_ = 0;
  Nanos stalled_since_ = 0;    // data waits and nothing has gone; 0: none waits
  std::uint64_t ends_at_ = 0;  // the offset of the output behind its last byte
  std::size_t owed_ = 0;       // received, not yet consumed
  std::size_t queued_ = 0;     // sent by us, still in our memory
  bool written_ = false;       // bytes of ours have left
  bool finishing_ = false;     // whole on the wire; over when output has passed ends_at_
};

}  // namespace albatross
