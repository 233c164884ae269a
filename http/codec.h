// A wire format without a socket: bytes in, callbacks out; messages in, bytes out.
//
// A Codec belongs to one connection and is used on its thread. It never destroys or reads anything by itself. The legal
// order of what passes in each direction of a stream is the table of http/direction.h.
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

// What a codec keeps of one stream: the base of the connection's Stream, which owns it.
struct WireStream {
  explicit WireStream(BlockPool& pool) : waiting(pool) {}

  StreamId id = 0;                   // 0: not on the wire yet
  Direction in = Direction::kIdle;   // what has come from the peer
  Direction out = Direction::kIdle;  // what was given to send; it may still wait for its window
  std::string_view fresh;            // data to be sent: the caller's until settle time
  Buffer waiting;                    // data to be sent: what was ours to keep, goes first
  Fields trailers;                   // to be sent behind the data
  bool has_trailers = false;
  bool end_sent = false;      // our end is among what was produced
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

// What a codec tells its owner. Views are good until the callback returns.
class CodecSink {
 public:
  // A server's: a request begins on a stream that the sink makes.
  virtual WireStream& on_begin(StreamId id) = 0;
  // Where this stream's heads shall live.
  virtual Arena& arena_of(WireStream& s) = 0;
  // The head. `end`: no body and no trailers follow (on_end is not called). Informational heads may come before it.
  virtual void on_head(WireStream& s, Head& head, bool end) = 0;
  virtual void on_data(WireStream& s, std::string_view data) = 0;
  // The message is whole. `trailers` may be null.
  virtual void on_end(WireStream& s, Fields* trailers) = 0;

  // Of a MuxCodec. The request went over a limit; it is not told by on_head, and an answer may go out.
  virtual void on_over_limit(WireStream&, Cause, const char*) {}
  // Of a MuxCodec. The stream has left the wire. kNone: our message went whole. The codec has forgotten it.
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
  // Eats what it can, all of it if it is a MuxCodec.
  virtual FeedResult feed(std::string_view bytes, CodecSink& sink) = 0;
  // A message has begun to come and its head is not complete. A SerialCodec: or its head is done.
  virtual bool head_started() const = 0;

  // A client's stream for one request, before its head is sent. `upgrade`: it asks for websocket.
  virtual void open(WireStream& s, Method request, bool upgrade) = 0;
  virtual void send_head(WireStream& s, const Head& head, bool end, Output& out) = 0;
  virtual void send_data(WireStream& s, std::string_view data, Output& out) = 0;
  virtual void send_end(WireStream& s, const Fields* trailers, Output& out) = 0;
  // Both directions of the stream are verbatim from here on.
  virtual void start_tunnel(WireStream& s) = 0;
};

class SerialCodec : public Codec {
 public:
  // feed() stops at the end of a message until next_message() is called, or when told to pause in a callback; the rest
  // comes again with the next call, in front of new bytes.
  virtual void next_message() = 0;
  virtual void pause() = 0;
  virtual bool paused() const = 0;
  // The peer's direction has ended. kNone if that is a fine place to end.
  virtual FeedResult feed_end(CodecSink& sink) = 0;

  virtual bool between_messages() const = 0;
  virtual bool head_done() const = 0;
  virtual bool message_done() const = 0;
};

class MuxCodec : public Codec {
 public:
  // How many heads have begun so far.
  virtual std::uint32_t heads_begun() const = 0;
  // Nothing that still comes is told, for good.
  virtual void stop() = 0;
  // Frames that may go now, until `out` holds a write's worth. Not inside feed().
  virtual void produce(Output& out, CodecSink& sink) = 0;
  virtual bool wants_to_produce() const = 0;
  // Settle time: what was given as views and has not gone becomes the codec's own.
  virtual void own() = 0;
  // Bytes given as views since then.
  virtual std::size_t fresh_bytes() const = 0;
  // Credit for received bytes of the stream's body.
  virtual void consume(WireStream& s, std::size_t bytes) = 0;
  // The owner lets go of the stream: no callback names it again. What has not ended is reset. A server's stream counts
  // against the concurrency that the peer may have until then.
  virtual void abandon(WireStream& s) = 0;

  // A client's: the server has said what it takes (its SETTINGS).
  virtual bool ready() const = 0;
  // A client's: how many streams may be open at once now; 0 when no more may be opened.
  virtual std::uint32_t max_streams() const = 0;
  // A client's: the server takes websockets (RFC 8441 §3).
  virtual bool takes_tunnels() const = 0;
  // More control frames wait than a peer in good faith causes: do not read on.
  virtual bool clogged() const = 0;
  // Neither side has any more to say.
  virtual bool over() const = 0;
  // RFC 9113 §6.8: the first step says that no more should come, the second which was the last.
  virtual void announce_goaway() = 0;
  virtual void finish_goaway() = 0;
  virtual void ping() = 0;
  // For the budgets of what a peer may ask in a second.
  virtual void set_time(Nanos now) = 0;
  // Why the connection cannot go on, if so: found in feed() or while producing, when its GOAWAY is on the way.
  virtual FeedResult failure() const = 0;
};

}  // namespace albatross
