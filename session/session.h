// One connection as Streams, in either role: a Transport below, a Codec for the wire, which may be serial (HTTP/1.1:
// one stream at a time) or multiplex (HTTP/2).
//
// Owned by a worker through its SessionOwner; used on the worker's thread. It never dies inside a callback: after
// on_closed the owner hands it to Loop::destroy_later. Reads go to the worker's scratch and are handed on before the
// next read anywhere (SessionContext::settle), so in the steady state a body is never copied and an idle connection
// holds no buffer.
//
// Deadlines here: handshake, idle, request_head, send (of the connection and of each stream), lingering close, connect,
// GOAWAY, PING. Those of an exchange are the exchange's.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "http/h1/parse.h"
#include "http/h2/codec.h"
#include "net/transport.h"
#include "session/connection_info.h"
#include "session/stream.h"

namespace albatross {

class Session;

// What the sessions of one worker share.
class SessionContext final : public Ready {
 public:
  explicit SessionContext(Loop& loop) : loop_(loop) {}
  ~SessionContext() override;
  Loop& loop() { return loop_; }
  OutputScratch& scratch() { return scratch_; }
  // Writes, or takes ownership of, everything that was sent since the last time. Views die here. A connection of many
  // streams only gathers what is small; it writes once, at the end of the turn.
  void settle();
  void mark_dirty(Session& s);
  void forget(Session& s);
  // One of this turn's TLS handshake steps; false when they are used up.
  bool take_handshake();
  // Writes what was gathered too: the end of the turn, and before a connection is cut.
  void finish_turn();
  void on_ready() override { finish_turn(); }

  // Streams are recycled. One that is over stays readable until the next session has its turn.
  Stream& take_stream();
  void bury(Stream& s) { dead_.push_back(&s); }
  void recycle_streams();

 private:
  Loop& loop_;
  OutputScratch scratch_;
  std::vector<Session*> dirty_;
  std::vector<Session*> gathered_;  // to be written at the end of the turn
  std::vector<Stream*> free_;
  std::vector<Stream*> dead_;
  static constexpr int kHandshakes = 16;
  static constexpr std::size_t kFreeStreams = 1024;
  std::uint64_t turn_ = 0;
  int handshakes_ = 0;
};

struct SessionTimeouts {  // nanoseconds; 0: none
  Nanos handshake = 10 * kSecond;
  Nanos idle = 15 * kSecond;
  Nanos request_head = 10 * kSecond;
  Nanos send = 60 * kSecond;
};

// What a connection speaks. TLS connections agree by ALPN; this is for the others, and for what a client insists on.
enum class Wire : std::uint8_t {
  kHttp1,
  kHttp2,   // client: nothing else will do
  kEither,  // server, without TLS: HTTP/2 if it opens with the preface (RFC 9113 §3.3)
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

  Session(SessionContext& context, SessionOwner& owner, Role role, const HeadLimits& limits,
          const SessionTimeouts& timeouts);
  ~Session() override;

  // Before start().
  void set_wire(Wire wire, const H2Settings& h2) {
    wire_ = wire;
    h2_ = &h2;
  }
  // Once: the transport with this session as its Ready.
  void start(std::unique_ptr<Transport> transport, Nanos open_timeout);

  // Client: opens the stream for one request. Only when can_open().
  Stream& open_stream(StreamEvents& events, Method method, bool upgrade);
  bool can_open() const;
  bool has_stream() const { return streams_ != nullptr; }
  std::uint32_t stream_count() const { return count_; }
  // Client: idle, nothing unexpected arrived, the peer has not hung up.
  bool reusable() const;
  // Not yet open: connecting, shaking hands, or waiting for what the server will take.
  bool opening() const { return state_ == State::kOpening || greeting_; }
  bool multiplexes() const { return mux_; }
  // Client, HTTP/2: the server takes websockets.
  bool takes_tunnels() const;

  // Server: the next answer says that it is the last (HTTP/2: GOAWAY in two steps); an idle connection is still read
  // until `idle_until`, then closed.
  void drain(Nanos idle_until);
  bool draining() const { return draining_; }
  // What is to be written and could not be yet.
  std::size_t bytes_held() const { return out_.size(); }
  bool idle() const { return state_ == State::kOpen && !has_stream() && (!codec_ || codec_->between_messages()); }
  // Cuts everything: streams get on_reset, the owner on_closed.
  void fail(const Error& error, bool abort = false);
  // The end of a drain: what was answered still leaves, streams get on_reset.
  void cut(const Error& error);
  // Lets go when idle; for a pool that is full or old.
  void close_idle();

  State state() const { return state_; }
  Role role() const { return role_; }
  Transport& transport() { return *transport_; }
  SessionContext& context() { return context_; }
  Nanos now() const { return context_.loop().now(); }
  std::uint64_t requests() const { return requests_; }
  Nanos idle_since() const { return idle_since_; }
  Nanos opened_at() const { return opened_at_; }
  void set_idle_deadline(Nanos deadline) {
    read_deadline_ = deadline;
    arm();
  }
  // Client: what the server's Keep-Alive said of its patience; 0: nothing.
  std::uint32_t peer_keep_alive() const { return peer_keep_alive_; }
  void set_half_close(bool on) { half_close_ = on; }

  ConnectionInfo info;
  // For the owner: its bookkeeping of this session.
  void* owner_data = nullptr;
  void* owner_aux = nullptr;
  Session* owner_prev = nullptr;
  Session* owner_next = nullptr;

  void on_ready() override;
  void settle();
  // True if a write is due at the end of the turn; otherwise it has been settled.
  bool gather();

 private:
  friend class Stream;
  friend class SessionContext;

  // CodecSink
  WireStream& on_begin(StreamId id) override;
  Arena& arena_of(WireStream& s) override;
  void on_head(WireStream& s, Head& head, bool end) override;
  void on_data(WireStream& s, std::string_view data) override;
  void on_end(WireStream& s, Fields* trailers) override;
  void on_over_limit(WireStream& s, Cause cause, const char* detail) override;
  void on_closed(WireStream& s, const Error& error) override;

  // session_io.cc: bytes
  bool finish_opening();
  bool choose_codec(std::string_view first);
  void use(std::unique_ptr<Codec> codec);
  void read_some();
  bool may_read() const;
  void process(std::string_view bytes);
  void after_serial_feed(std::string_view bytes, const FeedResult& r, bool was_idle);
  void end_of_input();
  void discard_input();
  void adapt_read_size(std::size_t asked, std::size_t got);
  bool flush();
  bool write_out();
  void return_credit();

  // session.cc: life
  Stream& begin_stream();
  void end_stream(Stream& s);
  void refuse(Cause cause, const char* detail);
  void after_output();
  void finish_server_stream();
  void next_message();
  void linger();
  void close(const Error& error, bool abort);
  void drop_stream(Stream& s, const Error& error);
  void on_timer();
  void arm();
  void touch();
  void release(Stream& s);
  void finish_release();
  void reset(Stream& s);
  StreamEvents& orphan();

  // session_mux.cc: many streams
  void after_mux_feed();
  bool check_failure();
  void finish_mux_streams();
  void streams_changed();
  void mux_timer(Nanos at);
  void start_goaway();
  void update_head_deadline();
  void reset_stalled(Nanos at);
  Nanos stall_check() const { return std::max<Nanos>(timeouts_->send / 8, 100 * kMilli); }
  bool check_server(Nanos at);

  SessionContext& context_;
  SessionOwner& owner_;
  const HeadLimits* limits_;
  const SessionTimeouts* timeouts_;
  const H2Settings* h2_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Codec> codec_;
  Stream* streams_ = nullptr;
  Stream* ended_ = nullptr;  // serial, client: released inside a feed, which must be over first
  Output out_;
  std::string held_;  // read but not yet eaten
  MemberTimer<Session, &Session::on_timer> timer_{this};
  Nanos read_deadline_ = 0;
  Nanos send_deadline_ = 0;
  Nanos extra_deadline_ = 0;  // multiplexing: GOAWAY's second step, PING, stalled streams
  Nanos idle_since_ = 0;
  Nanos opened_at_ = 0;
  Nanos last_heard_ = 0;
  Nanos ping_at_ = 0;
  std::uint32_t requests_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t finished_ = 0;
  std::uint32_t peer_keep_alive_ = 0;  // seconds
  std::uint32_t read_size_ = kMinRead;
  std::uint32_t discarded_ = 0;
  std::uint32_t late_head_ = 0;  // multiplexing: which head read_deadline_ is for
  State state_ = State::kOpening;
  Role role_;
  Wire wire_ = Wire::kHttp1;
  bool mux_ = false;
  bool greeting_ = false;  // client: open when the server's SETTINGS have come
  bool dirty_ = false;
  bool gathered_ = false;  // a write is due at the end of the turn
  bool draining_ = false;
  bool close_after_ = false;
  bool refused_ = false;
  bool half_close_ = false;
  bool write_broken_ = false;
  bool shut_ = false;          // our direction is closed
  bool abort_at_end_ = false;  // the response's end is the connection's: a cut must be a reset
  bool in_feed_ = false;
  bool needs_more_ = false;  // what is held is the start of something
  bool head_late_ = false;   // multiplexing: read_deadline_ is that of a head
  bool stalled_ = false;     // some stream waits for its window
  bool pinged_ = false;      // and not heard of since
  bool quiet_ = false;       // a PING has gone since the last message

  enum class Goaway : std::uint8_t { kNone, kAnnounced, kFinal };
  Goaway goaway_ = Goaway::kNone;

  static constexpr std::uint32_t kMinRead = 16 * 1024;
  static constexpr std::uint32_t kMaxRead = 192 * 1024;
  static constexpr std::size_t kLowWater = 16 * 1024;
  static constexpr std::size_t kGatherBelow = 8 * 1024;  // fresh bytes: larger ones go at once, without a copy
  static constexpr std::size_t kGatherAtMost = 32 * 1024;
  static constexpr std::uint32_t kMaxDiscard = 64 * 1024;
  static constexpr Nanos kLinger = 2 * kSecond;
  static constexpr Nanos kGoawayGap = 1 * kSecond;  // more than a round trip
  static constexpr Nanos kPingAfter = 20 * kSecond;
  static constexpr Nanos kPingPatience = 10 * kSecond;
  static constexpr Nanos kPingAgain = 330 * kSecond;  // gRPC servers take it ill under five minutes
};

}  // namespace albatross
