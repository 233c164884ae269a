// One request and its response on one connection, the same type towards clients and servers.
//
// A Stream is owned by its Session and lives until on_finished, on_reset or release(). It is used on its worker's
// thread. Data handed to send_data stays the caller's until the worker settles (before the caller's next read); credit
// for it comes back by on_sent when the bytes have left our memory. Data received by on_data is owed: consume() gives
// the credit back, and until then an h1 session does not read on.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/codec.h"

namespace albatross {

class Session;
class Stream;

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

class Stream final : public WireStream {
 public:
  explicit Stream(BlockPool& pool) : WireStream(pool) {}

  void send_head(const Head& head, bool end);
  void send_data(std::string_view data);
  void send_end(const Fields* trailers);
  // Credit for received bytes.
  void consume(std::size_t bytes);
  // Cuts it now: the peer sees an abort, never a clean end. No events follow.
  void reset();
  // A client's stream after its response is whole: the connection may serve again. No events follow.
  void release();
  // Both directions become verbatim bytes; before the 101 is sent or after it was received.
  void start_tunnel();
  // Ends a tunnel behind what was sent. True if on_finished will tell (a server's); false if no events follow.
  bool end_tunnel();
  // How long the peer may take nothing of what is sent on this stream; 0: for ever.
  void set_send_timeout(Nanos t) { send_timeout_ = t; }
  // The next move is the peer's: we would take data, and it has sent none.
  bool waiting_for_peer() const;

  Session& session() const { return *session_; }
  bool head_sent() const { return head_sent_; }
  bool out_done() const { return out_done_; }
  bool in_done() const { return in_done_; }

  StreamEvents* events = nullptr;

 private:
  friend class Session;
  void begin(Session& session, Nanos send_timeout);

  Session* session_ = nullptr;
  Stream* prev_ = nullptr;  // the session's streams
  Stream* next_ = nullptr;
  Nanos send_timeout_ = 0;
  Nanos stalled_since_ = 0;  // data waits and nothing has gone; 0: none waits
  std::size_t owed_ = 0;     // received, not yet consumed
  std::size_t queued_ = 0;   // sent by us, still in our memory
  bool head_sent_ = false;
  bool out_done_ = false;
  bool in_done_ = false;
  bool tunnel_ = false;
  bool written_ = false;   // bytes of ours have left
  bool answered_ = false;  // client: a head has come
  bool finished_ = false;  // nothing more is heard or said; it ends when the bytes have left
};

}  // namespace albatross
