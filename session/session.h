// A Connection over a Transport and a Codec, in either role: it opens, moves bytes in and out, keeps deadlines and
// closes. Its Streams (serial_streams.h, mux_streams.h) are the half that depends on the protocol; they are made when
// the protocol of the connection is known. Owned by its ConnectionOwner; the loop's thread.
//
// Reads go to the loop's scratch and are handed on before the next read anywhere on the loop (SessionContext). So in
// the steady state a body is never copied, and an idle connection holds no buffer.
//
// Deadlines here: connect and handshake, idle, request head, send, lingering close. MuxStreams adds those of many
// streams. The deadlines of an exchange are the exchange's.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "http/h1/parse.h"
#include "http/h2/codec.h"
#include "net/transport.h"
#include "session/connection.h"
#include "session/session_context.h"
#include "session/session_writer.h"
#include "session/streams.h"

namespace albatross {

struct SessionTimeouts {  // nanoseconds; 0: none
  Nanos handshake = 10 * kSecond;
  Nanos idle = 15 * kSecond;
  Nanos request_head = 10 * kSecond;
  Nanos send = 60 * kSecond;
};

// The protocol of a connection. Over TLS, ALPN decides; this is for other connections, and for what a client requires.
enum class Wire : std::uint8_t {
  kHttp1,
  kHttp2,   // a client accepts nothing else
  kEither,  // server, without TLS: HTTP/2 if the client begins with the preface (RFC 9113 §3.3)
};

// What the connections of one listener, or those to servers, have in common.
struct SessionSettings {
  HeadLimits limits;
  SessionTimeouts timeouts;
  H2Settings h2;
  Wire wire = Wire::kHttp1;
  bool half_close = false;  // server: a client that ends its direction after a request still waits for the answer
};

// How many bytes one read asks for: more while bytes flow through, fewer while they wait here. A value of a Session.
class ReadSize {
 public:
  static constexpr std::uint32_t kLeast = 16 * 1024;
  static constexpr std::uint32_t kMost = 192 * 1024;
  std::uint32_t next() const { return size_; }
  // `drained`: what was read has been passed on.
  void adapt(std::size_t asked, std::size_t got, bool drained) {
    if (!drained) {
      size_ = std::max(size_ / 2, kLeast);
    } else if (got == asked) {
      size_ = std::min(size_ * 2, kMost);
    }
  }

 private:
  std::uint32_t size_ = kLeast;
};

class Session final : public Connection, public Ready, public ListHook<Session, TurnLink> {
 public:
  // `settings` outlives this object. `info`: what the acceptor knows about a client.
  Session(SessionContext& context, ConnectionOwner& owner, Role role, const SessionSettings& settings,
          const ConnectionInfo& info = {});
  ~Session() override;

  // Called once. The transport's Ready is this session. `open_timeout`: nanoseconds to connect and shake hands; 0: no
  // limit.
  void start(std::unique_ptr<Transport> transport, Nanos open_timeout);

  bool opening() const override { return state_ == State::kOpening || (streams_ && streams_->greeting()); }
  Capabilities can() const override { return streams_ ? streams_->can() : Capabilities{}; }
  const TlsInfo* tls() const override;
  bool covers(std::string_view host) const override { return transport_->covers(host); }
  std::size_t bytes_held() const override { return writer_.out().size() + held_.size(); }
  bool idle() const override;
  bool has_stream() const override { return streams_ && !streams_->empty(); }
  Stream& open_stream(StreamEvents& events, Method method, bool upgrade) override;
  bool can_open() const override;
  bool reusable() const override;
  bool hung_up() const override { return transport_->hung_up(); }
  std::uint32_t peer_keep_alive() const override { return streams_ ? streams_->peer_keep_alive() : 0; }
  void set_idle_deadline(Nanos deadline) override { set_read_deadline(deadline); }
  void drain(Nanos idle_until) override;
  void cut(const Error& error) override;
  void fail(const Error& error, bool abort = false) override { close(error, abort); }
  void close_idle() override;

  // For the loop and the context.
  void on_ready() override;
  void settle();
  // Gathers small output. True if it waits for the end of the turn; false if the session has settled.
  bool gather();
  bool gathered() const { return gathered_; }

 private:
  friend class Streams;
  friend class SerialStreams;
  friend class MuxStreams;

  // For Streams.
  Nanos now() const { return context_.loop().now(); }
  bool is_open() const { return state_ == State::kOpen; }
  void touch() { context_.mark_dirty(*this); }
  void set_read_deadline(Nanos deadline);
  void arm();
  bool may_read() const;
  bool nothing_to_read() const { return held_.empty() && !transport_->can_read(); }
  // Keeps bytes that were read and not used. `needs_more`: the codec can use them only with more bytes.
  void hold(std::string_view bytes, bool needs_more);
  bool flush();
  void next_message();
  void linger();
  void close(const Error& error, bool abort = false);

  // session_io.cc
  bool finish_opening();
  bool choose_codec(std::string_view first);
  void read_some();
  bool read_once();
  void process(std::string_view bytes);
  void discard_input();
  void write_failed();
  void guard_sending(bool progress);
  void on_timer();

  SessionContext& context_;
  ConnectionOwner& owner_;
  const SessionSettings* settings_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Streams> streams_;  // null: its protocol is not known yet
  SessionWriter writer_;
  std::string held_;  // read but not used yet
  MemberTimer<Session, &Session::on_timer> timer_{this};
  Nanos read_deadline_ = 0;
  Nanos send_deadline_ = 0;
  ReadSize read_size_;
  std::uint32_t discarded_ = 0;
  bool needs_more_ = false;  // what is held can be used only with more bytes
  bool gathered_ = false;    // a write is due at the end of the turn

  static constexpr std::size_t kLowWater = 16 * 1024;
  static constexpr std::size_t kGatherAtMost = 32 * 1024;
  static constexpr std::uint32_t kMaxDiscard = 64 * 1024;
  static constexpr Nanos kLinger = 2 * kSecond;
};

}  // namespace albatross
