// A wire format without a socket: bytes in, callbacks out; messages in, bytes out.
//
// A Codec belongs to one Session and is used on its thread. It never destroys or reads anything by itself. Legal order
// in each direction of a stream:
//
//        head(1xx)*         data*
//   idle ---------> idle --head--> open --data--> open --trailers/end--> done
//                    any state --reset--> done
//
// Two kinds: a serial codec (HTTP/1.1) has one message at a time and writes at once; one that multiplexes (HTTP/2) has
// many streams, keeps what flow control holds back, and writes when it is asked to produce.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/head.h"
#include "http/output.h"

namespace albatross {

using StreamId = std::uint32_t;

enum class Role : std::uint8_t { kServer, kClient };

// What a codec keeps of one stream: the base of the session's Stream, which owns it. Only codecs touch the members.
struct WireStream {
  explicit WireStream(BlockPool& pool) : waiting(pool) {}

  StreamId id = 0;         // 0: not on the wire yet
  std::string_view fresh;  // data to be sent: the caller's until settle time
  Buffer waiting;          // data to be sent: what was ours to keep, goes first
  Fields trailers;
  bool has_trailers = false;
  bool ends = false;       // nothing more will be given to send
  bool end_sent = false;   // END_STREAM is out
  bool end_seen = false;   // END_STREAM has come
  bool deferred = false;   // nothing to send at the moment
  bool listed = false;     // among those with fresh data
  bool head_seen = false;  // a final head has come
  bool tunnel = false;     // RFC 8441: both directions are bytes
  bool to_head = false;    // client: the request is a HEAD
  bool peer_reset = false;
  bool closed = false;        // off the wire
  std::uint8_t heads = 0;     // of responses
  const char* why = nullptr;  // it was found wanting, a literal

  std::size_t held() const { return fresh.size() + waiting.size(); }
};

// What a codec tells its session. Views are good until the callback returns.
class CodecSink {
 public:
  virtual ~CodecSink() = default;
  // A server's: a request begins on a stream that the session makes.
  virtual WireStream& on_begin(StreamId id) = 0;
  // Where this stream's heads shall live.
  virtual Arena& arena_of(WireStream& s) = 0;
  // The head. `end`: no body and no trailers follow (on_end is not called). Informational heads may come before it.
  virtual void on_head(WireStream& s, Head& head, bool end) = 0;
  virtual void on_data(WireStream& s, std::string_view data) = 0;
  // The message is whole. `trailers` may be null.
  virtual void on_end(WireStream& s, Fields* trailers) = 0;

  // Of codecs that multiplex. The request went over a limit; it is not told by on_head, and an answer may go out.
  virtual void on_over_limit(WireStream&, Cause, const char*) {}
  // The stream has left the wire. kNone: our message went whole. The codec has forgotten it.
  virtual void on_closed(WireStream&, const Error&) {}
};

struct FeedResult {
  std::size_t consumed = 0;
  Cause cause = Cause::kNone;  // otherwise the connection cannot go on
  const char* detail = nullptr;
};

class Codec {
 public:
  virtual ~Codec() = default;
  // Eats what it can. A serial codec stops early at the end of a message until next_message() is called, or when told
  // to pause in a callback; the rest comes again with the next call, in front of new bytes.
  virtual FeedResult feed(std::string_view bytes, CodecSink& sink) = 0;
  // The peer's direction has ended. kNone if that is a fine place to end.
  virtual FeedResult feed_end(CodecSink& sink) = 0;

  // A client's stream for one request, before its head is sent. `upgrade`: it asks for websocket.
  virtual void open(WireStream& s, Method request, bool upgrade) = 0;
  virtual void send_head(WireStream& s, const Head& head, bool end, Output& out) = 0;
  virtual void send_data(WireStream& s, std::string_view data, Output& out) = 0;
  virtual void send_end(WireStream& s, const Fields* trailers, Output& out) = 0;
  // Both directions of the stream are verbatim from here on.
  virtual void start_tunnel(WireStream& s) = 0;

  // A message has begun to come and its head is not complete. A serial one: or its head is done.
  virtual bool head_started() const = 0;
  // How many have begun, where several may in one feed.
  virtual std::uint32_t heads_begun() const { return 0; }

  // ---- serial codecs ----
  virtual bool between_messages() const { return true; }
  virtual bool message_done() const { return false; }
  virtual bool head_done() const { return true; }
  virtual void next_message() {}
  // Stops feed() after the current callback; one that multiplexes tells nothing more, for good.
  virtual void pause() {}
  virtual bool paused() const { return false; }

  // ---- codecs that multiplex ----
  virtual bool multiplexes() const { return false; }
  // Frames that may go now, until `out` holds a write's worth. Not inside feed().
  virtual void produce(Output&, CodecSink&) {}
  virtual bool wants_to_produce() const { return false; }
  // Settle time: what was given as views and has not gone becomes ours.
  virtual void own() {}
  // Bytes given as views since then.
  virtual std::size_t fresh_bytes() const { return 0; }
  // Credit for received bytes of the stream's body.
  virtual void consume(WireStream&, std::size_t) {}
  // The session lets go of the stream: no callback names it again. What has not ended is reset.
  virtual void abandon(WireStream&) {}
  // A client's: the server has said what it takes (its SETTINGS).
  virtual bool ready() const { return true; }
  // A client's: how many streams may be open at once now; 0 when no more may be opened.
  virtual std::uint32_t max_streams() const { return 1; }
  // More control frames wait than a peer in good faith causes: do not read on.
  virtual bool clogged() const { return false; }
  // Neither side has any more to say.
  virtual bool over() const { return false; }
  // RFC 9113 §6.8: the first step says that no more should come, the second which was the last.
  virtual void announce_goaway() {}
  virtual void finish_goaway() {}
  virtual void ping() {}
  // For the budgets of what a peer may ask in a second.
  virtual void set_time(Nanos) {}
  // Why the connection cannot go on, if so: found in feed() or while producing, when its GOAWAY is on the way.
  virtual FeedResult failure() const { return {}; }
};

}  // namespace albatross
