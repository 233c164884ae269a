// A wire format without a socket: bytes in, callbacks out; messages in, bytes out.
//
// A Codec belongs to one Session and is used on its thread. It never destroys or reads anything by itself. Legal order in each
// direction of a stream, checked where messages leave (kOrder below):
//
//        head(1xx)*         data*
//   idle ---------> idle --head--> open --data--> open --trailers/end--> done
//                    any state --reset--> done
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "http/head.h"
#include "http/output.h"

namespace albatross {

using StreamId = std::uint32_t;

enum class Role : std::uint8_t { kServer, kClient };

// What a codec tells its session. Views are good until the callback returns.
class CodecSink {
 public:
  virtual ~CodecSink() = default;
  // A message's head is complete: where shall it live? (A new stream for a server; the request's arena for a client.)
  virtual Arena& on_begin(StreamId id) = 0;
  // The head. `end`: no body and no trailers follow (on_end is not called). Informational heads may come before it.
  virtual void on_head(StreamId id, Head& head, bool end) = 0;
  virtual void on_data(StreamId id, std::string_view data) = 0;
  // The message is whole. `trailers` may be null.
  virtual void on_end(StreamId id, Fields* trailers) = 0;
};

struct FeedResult {
  std::size_t consumed = 0;
  Cause cause = Cause::kNone;  // otherwise the connection cannot go on
  const char* detail = nullptr;
};

class Codec {
 public:
  virtual ~Codec() = default;
  // Eats what it can and stops early at the end of a message until next_message() is called, or when told to pause in a
  // callback. The rest comes again with the next call, in front of new bytes.
  virtual FeedResult feed(std::string_view bytes, CodecSink& sink) = 0;
  // The peer's direction has ended. kNone if that is a fine place to end.
  virtual FeedResult feed_end(CodecSink& sink) = 0;

  virtual void send_head(StreamId id, const Head& head, bool end, Output& out) = 0;
  virtual void send_data(StreamId id, std::string_view data, Output& out) = 0;
  virtual void send_end(StreamId id, const Fields* trailers, Output& out) = 0;
};

}  // namespace albatross
