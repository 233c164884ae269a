// One connection as Streams, in either role: a Transport below, a Codec for the wire.
//
// Owned by a worker through its SessionOwner; used on the worker's thread. It never dies inside a callback: after on_closed
// the owner hands it to Loop::destroy_later. Reads go to the worker's scratch and are handed on before the next read anywhere
// (SessionContext::settle), so in the steady state a body is never copied and an idle connection holds no buffer.
//
// Deadlines here: handshake, idle, request_head, send, lingering close, connect. Those of an exchange are the exchange's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http/h1_codec.h"
#include "net/transport.h"
#include "session/connection_info.h"
#include "session/stream.h"

namespace albatross {

class Session;

// What the sessions of one worker share.
class SessionContext final : public Ready {
 public:
  explicit SessionContext(Loop& loop) : loop_(loop) {}
  Loop& loop() { return loop_; }
  OutputScratch& scratch() { return scratch_; }
  // Writes, or takes ownership of, everything that was sent since the last time. Views die here.
  void settle();
  void mark_dirty(Session& s);
  void forget(Session& s);
  // One of this turn's TLS handshake steps; false when they are used up.
  bool take_handshake();
  void on_ready() override { settle(); }

 private:
  Loop& loop_;
  OutputScratch scratch_;
  std::vector<Session*> dirty_;
  static constexpr int kHandshakes = 16;
  std::uint64_t turn_ = 0;
  int handshakes_ = 0;
};

struct SessionTimeouts {  // nanoseconds; 0: none
  Nanos handshake = 10 * kSecond;
  Nanos idle = 15 * kSecond;
  Nanos request_head = 10 * kSecond;
  Nanos send = 60 * kSecond;
};

class SessionOwner {
 public:
  // Server: a request begins; set stream.events.
  virtual void on_new_stream(Session& s, Stream& stream) = 0;
  // Handshake done; streams may come (server) or be opened (client).
  virtual void on_open(Session& s) = 0;
  // Client: no stream is open and the connection can serve again.
  virtual void on_idle(Session& s) = 0;
  // Gone. `error.cause` is kNone for an ordinary end. Hand the session to destroy_later.
  virtual void on_closed(Session& s, const Error& error) = 0;

 protected:
  ~SessionOwner() = default;
};

class Session final : public Deferred, public Ready, private CodecSink {
 public:
  enum class State : std::uint8_t { kOpening, kOpen, kLingering, kClosed };

  Session(SessionContext& context, SessionOwner& owner, Role role, const HeadLimits& limits, const SessionTimeouts& timeouts);
  ~Session() override;

  // Once, right after construction: the transport with this session as its Ready.
  void start(std::unique_ptr<Transport> transport, Nanos open_timeout);

  // Client: opens the stream for one request. Only when open and no stream is open.
  Stream& open_stream(StreamEvents& events, Method method, bool upgrade);
  bool has_stream() const { return stream_.events != nullptr; }
  // Client: idle, nothing unexpected arrived, the peer has not hung up.
  bool reusable() const;

  // Server: the next answer says that it is the last; an idle connection is still read until `idle_until`, then closed.
  void drain(Nanos idle_until);
  bool draining() const { return draining_; }
  bool idle() const { return state_ == State::kOpen && !has_stream() && codec_.between_messages(); }
  // Cuts everything: streams get on_reset, the owner on_closed.
  void fail(const Error& error, bool abort = false);
  // Lets go when idle; for a pool that is full or old.
  void close_idle() { close(Error{}, false); }

  // The next move is the peer's: we would read, and it has sent nothing.
  bool waiting_for_peer() const { return may_read() && !transport_->can_read(); }

  State state() const { return state_; }
  Role role() const { return role_; }
  Transport& transport() { return *transport_; }
  SessionContext& context() { return context_; }
  Nanos now() const { return context_.loop().now(); }
  std::uint64_t requests() const { return requests_; }
  Nanos idle_since() const { return idle_since_; }
  Nanos opened_at() const { return opened_at_; }
  void set_idle_deadline(Nanos deadline) { read_deadline_ = deadline; arm(); }
  // Client: what the server's Keep-Alive said of its patience; 0: nothing.
  std::uint32_t peer_keep_alive() const { return peer_keep_alive_; }
  // Server: how long the client may read nothing of the current answer; 0: for ever. Until the next request.
  void set_send_timeout(Nanos t) { send_timeout_ = t; }
  void set_half_close(bool on) { half_close_ = on; }

  ConnectionInfo info;
  // For the owner: its bookkeeping of this session.
  void* owner_data = nullptr;
  void* owner_aux = nullptr;
  Session* owner_prev = nullptr;
  Session* owner_next = nullptr;

  void on_ready() override;
  void settle();

 private:
  friend class Stream;
  friend class SessionContext;

  // CodecSink
  Arena& on_begin(StreamId id) override;
  void on_head(StreamId id, Head& head, bool end) override;
  void on_data(StreamId id, std::string_view data) override;
  void on_end(StreamId id, Fields* trailers) override;

  // session_io.cc: bytes
  bool finish_opening();
  void read_some();
  bool may_read() const;
  void process(std::string_view bytes);
  void end_of_input();
  void discard_input();
  void adapt_read_size(std::size_t asked, std::size_t got);
  bool flush();
  void return_credit();

  // session.cc: life
  void begin_stream();
  void refuse(Cause cause, const char* detail);
  void after_output();
  void finish_server_stream();
  void next_message();
  void linger();
  void close(const Error& error, bool abort);
  void drop_stream(const Error& error);
  void on_timer();
  void arm();
  void stream_release();
  void finish_release();
  void stream_reset();

  SessionContext& context_;
  SessionOwner& owner_;
  const SessionTimeouts* timeouts_;
  std::unique_ptr<Transport> transport_;
  H1Codec codec_;
  Stream stream_;
  Output out_;
  std::string held_;  // read but not yet eaten
  MemberTimer<Session, &Session::on_timer> timer_{this};
  Nanos read_deadline_ = 0;
  Nanos send_deadline_ = 0;
  Nanos idle_since_ = 0;
  Nanos opened_at_ = 0;
  Nanos send_timeout_;
  std::uint32_t requests_ = 0;
  std::uint32_t peer_keep_alive_ = 0;  // seconds
  std::uint32_t read_size_ = kMinRead;
  std::uint32_t discarded_ = 0;
  State state_ = State::kOpening;
  Role role_;
  bool dirty_ = false;
  bool draining_ = false;
  bool close_after_ = false;
  bool refused_ = false;
  bool half_close_ = false;
  bool write_broken_ = false;
  bool shut_ = false;  // our direction is closed
  bool abort_at_end_ = false;  // the response's end is the connection's: a cut must be a reset
  bool in_feed_ = false;
  bool release_pending_ = false;
  bool needs_more_ = false;  // what is held is the start of something

  static constexpr std::uint32_t kMinRead = 16 * 1024;
  static constexpr std::uint32_t kMaxRead = 192 * 1024;
  static constexpr std::size_t kLowWater = 16 * 1024;
  static constexpr std::uint32_t kMaxDiscard = 64 * 1024;
  static constexpr Nanos kLinger = 2 * kSecond;
};

}  // namespace albatross
