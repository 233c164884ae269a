// One request and its response on one connection, the same type towards clients and servers.
//
// A Stream is owned by its Connection and lives until on_finished, on_reset, reset() or release(); worker's thread.
// Data given to send_data belongs to the caller, who keeps it valid until the worker settles, which is before its next
// read. on_sent returns the credit for it when the bytes have left our memory. Data received by on_data is owed:
// consume() gives the credit back, and until then no more than a window of it is read. http/direction.h has the legal
// order of what is sent and received.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/codec.h"
#include "session/connection.h"

namespace albatross {

class StreamEvents {
 public:
  // Where the heads of this stream are stored.
  virtual Arena& arena() = 0;
  // A server's stream: the head of the request. A client's: that of the response, after any informational ones (status
  // < 200).
  virtual void on_head(Stream& s, Head& head, bool end) = 0;
  virtual void on_data(Stream& s, std::string_view data) = 0;
  virtual void on_end(Stream& s, Fields* trailers) = 0;
  // A server's stream: the client's message broke a rule or a limit. No more of it is reported. An answer may be sent,
  // after which an HTTP/1 connection closes.
  virtual void on_refused(Stream& s, Cause cause, const char* detail) = 0;
  // The stream was cut or reset, or its connection is lost. The last call.
  virtual void on_reset(Stream& s, const Error& error) = 0;
  virtual void on_sent(Stream& s, std::size_t bytes) = 0;
  // A server's stream: the answer has left and the stream is over. The last call.
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
  // Gives credit for received bytes.
  void consume(std::size_t bytes) { control_->consume(*this, bytes); }
  // Cuts the stream: the peer sees an abort, never a clean end. No events follow.
  void reset() { control_->reset(*this); }
  // Releases a client's stream when its response is complete; the connection may serve again. No events follow.
  void release() { control_->release(*this); }
  // Makes both directions verbatim bytes, after the 101 was sent or received.
  void start_tunnel() { control_->start_tunnel(*this); }
  // Ends a tunnel after the data that was sent. True if on_finished follows (a server's stream); false if no events
  // follow.
  bool end_tunnel() { return control_->end_tunnel(*this); }
  // How long the peer may take none of the data sent on this stream, nanoseconds; 0: no limit.
  void set_send_timeout(Nanos t) { send_timeout_ = t; }
  // Whether the next move is the peer's: we would take data, and it has sent none.
  bool waiting_for_peer() const { return control_->waiting_for_peer(*this); }

  // Whether data that was received has not been consumed yet.
  bool owes() const { return owed_ > 0; }

  Connection& connection() const { return *connection_; }
  // Whether a final head was given to send.
  bool head_sent() const { return out != Direction::kIdle; }
  // Whether our message was given to send completely.
  bool out_done() const { return out == Direction::kEnded; }
  // Whether the peer's message is complete.
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
  Nanos stalled_since_ = 0;    // since when data waits and none was written; 0: none waits
  std::uint64_t ends_at_ = 0;  // the offset in the output after its last byte
  std::size_t owed_ = 0;       // received, not yet consumed
  std::size_t queued_ = 0;     // given to send, still in our memory
  bool written_ = false;       // bytes were written since the stream began
  bool finishing_ = false;     // complete in the output; over when the kernel has everything up to ends_at_
};

}  // namespace albatross
