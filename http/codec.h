// A wire format without a socket: bytes in, callbacks out; messages in, bytes out.
//
// A Codec belongs to one connection and is used on its thread. It never destroys or reads anything by itself.
// http/direction.h has the table of the steps that are legal in each direction of a stream.
//
// Two kinds: a SerialCodec (HTTP/1.1) has one message at a time and writes at once; a MuxCodec (HTTP/2) has many
// streams, keeps what flow control holds back, and writes when it is asked to produce.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/direction.h"
#include "http/head.h"
#include "http/output.h"

namespace albatross {

using StreamId = std::uint64_t;

enum class Role : std::uint8_t { kServer, kClient };

// A codec's state of one stream. The base of the connection's Stream, which owns it.
struct WireStream {
  explicit WireStream(BlockPool& pool) : waiting(pool) {}

  StreamId id = 0;                   // 0: not on the wire yet
  Direction in = Direction::kIdle;   // what has come from the peer
  Direction out = Direction::kIdle;  // what was given to send, which may still wait for its window
  std::string_view fresh;            // data to be sent, in the caller's memory until settle time
  Buffer waiting;                    // data to be sent that was copied; it goes first
  Fields trailers;                   // to be sent after the data
  bool has_trailers = false;
  bool end_sent = false;      // the end of our message has been produced
  bool deferred = false;      // nothing to send at the moment
  bool listed = false;        // among those with fresh data
  bool tunnel = false;        // both directions are bytes, or a client's request asks for that (RFC 8441)
  bool to_head = false;       // client: the request is a HEAD
  bool peer_reset = false;    // the peer has reset it
  bool closed = false;        // off the wire
  std::uint8_t heads = 0;     // client: informational and final heads that have come
  const char* why = nullptr;  // the rule that the peer broke, a literal

  // Bytes given to send that flow control holds back.
  std::size_t held() const { return fresh.size() + waiting.size(); }
};

// What a codec tells its owner. Views are valid until the callback returns.
class CodecSink {
 public:
  // Server: a request begins. Returns a new stream for it.
  virtual WireStream& on_begin(StreamId id) = 0;
  // The arena for this stream's heads.
  virtual Arena& arena_of(WireStream& s) = 0;
  // The head. `end`: no body and no trailers follow (on_end is not called). Informational heads may come before it.
  virtual void on_head(WireStream& s, Head& head, bool end) = 0;
  virtual void on_data(WireStream& s, std::string_view data) = 0;
  // The message is complete. `trailers` may be null.
  virtual void on_end(WireStream& s, Fields* trailers) = 0;

  // MuxCodec: the request exceeded a limit. on_head is not called for it, and an answer may be sent.
  virtual void on_over_limit(WireStream&, Cause, const char*) {}
  // MuxCodec: the stream has left the wire, and the codec has forgotten it. kNone: our message was sent completely.
  virtual void on_closed(WireStream&, const Error&) {}

 protected:
  ~CodecSink() = default;
};

struct FeedResult {
  std::size_t consumed = 0;
  Cause cause = Cause::kNone;  // otherwise the connection cannot go on
  const char* detail = nullptr;
};

// What both kinds have in common.
class Codec {
 public:
  virtual ~Codec() = default;
  // Consumes what it can; a MuxCodec consumes everything.
  virtual FeedResult feed(std::string_view bytes, CodecSink& sink) = 0;
  // Whether a message has begun and its head is not complete; for a SerialCodec also when its head is complete.
  virtual bool head_started() const = 0;

  // Client: takes a stream for one request, before its head is sent. `upgrade`: it asks for websocket.
  virtual void open(WireStream& s, Method request, bool upgrade) = 0;
  virtual void send_head(WireStream& s, const Head& head, bool end, Output& out) = 0;
  virtual void send_data(WireStream& s, std::string_view data, Output& out) = 0;
  virtual void send_end(WireStream& s, const Fields* trailers, Output& out) = 0;
  // Both directions of the stream are verbatim from here on.
  virtual void start_tunnel(WireStream& s) = 0;
};

class SerialCodec : public Codec {
 public:
  // feed() stops at the end of a message until next_message() is called, or when told to pause in a callback; the
  // caller passes the rest again in the next call, before new bytes.
  virtual void next_message() = 0;
  virtual void pause() = 0;
  virtual bool paused() const = 0;
  // The peer's direction has ended. kNone if a message may end there.
  virtual FeedResult feed_end(CodecSink& sink) = 0;

  virtual bool between_messages() const = 0;
  virtual bool head_done() const = 0;
  virtual bool message_done() const = 0;
};

class MuxCodec : public Codec {
 public:
  // The number of heads that have begun so far.
  virtual std::uint32_t heads_begun() const = 0;
  // From now on, nothing that the peer sends is reported.
  virtual void stop() = 0;
  // Produces frames that may be sent now, until `out` holds enough for one write. Not to be called inside feed().
  virtual void produce(Output& out, CodecSink& sink) = 0;
  virtual bool wants_to_produce() const = 0;
  // At settle time: copies the data that was given as views and has not been sent.
  virtual void own() = 0;
  // Bytes given as views since the last own().
  virtual std::size_t fresh_bytes() const = 0;
  // Gives the peer credit for received bytes of the stream's body.
  virtual void consume(WireStream& s, std::size_t bytes) = 0;
  // The owner gives up the stream: no callback names it again, and it is reset if it has not ended. Until this call, a
  // server's stream counts against the peer's limit of concurrent streams.
  virtual void abandon(WireStream& s) = 0;

  // Client: whether the server's SETTINGS have come.
  virtual bool ready() const = 0;
  // Client: how many streams may be open at once now; 0 when no more may be opened.
  virtual std::uint32_t max_streams() const = 0;
  // Client: whether the server accepts websockets (RFC 8441 §3).
  virtual bool takes_tunnels() const = 0;
  // Whether more control frames wait than a well-behaved peer causes; nothing more is read then.
  virtual bool clogged() const = 0;
  // Whether neither side will send any more.
  virtual bool over() const = 0;
  // RFC 9113 §6.8: the first GOAWAY asks for no more streams, the second names the last one.
  virtual void announce_goaway() = 0;
  virtual void finish_goaway() = 0;
  virtual void ping() = 0;
  // Sets the time for the budgets of what a peer may ask for in a second.
  virtual void set_time(Nanos now) = 0;
  // Why the connection cannot go on; kNone if it can. Found in feed() or while producing, when its GOAWAY is queued.
  virtual FeedResult failure() const = 0;
};

}  // namespace albatross
