// HTTP/1.x as a Codec, both roles: one message at a time in each direction.
//
// A server's codec reads requests and writes responses; a client's the reverse. After a message is read whole, feed() eats nothing
// until next_message(). After a 101 both directions are a tunnel: data is verbatim. Heads are parsed where they lie and
// copied once into the arena that the sink names.
#pragma once

#include "http/chunked.h"
#include "http/codec.h"
#include "http/h1_parse.h"

namespace albatross {

class H1Codec final : public Codec {
 public:
  H1Codec(Role role, const HeadLimits& limits) : limits_(&limits), role_(role) {}

  FeedResult feed(std::string_view bytes, CodecSink& sink) override;
  FeedResult feed_end(CodecSink& sink) override;
  void send_head(StreamId id, const Head& head, bool end, Output& out) override;
  void send_data(StreamId id, std::string_view data, Output& out) override;
  void send_end(StreamId id, const Fields* trailers, Output& out) override;

  // Client: what the answer will be an answer to. Before the request is sent.
  void expect_response(Method request, bool upgrade);
  // Reading starts over with a new message.
  void next_message();
  // Both directions are verbatim from here on.
  void start_tunnel();
  // Stops feed() after the current callback; the rest comes again.
  void pause() { paused_ = true; }
  bool paused() const { return paused_; }

  bool between_messages() const { return in_ == In::kHead && !head_started_; }
  bool message_done() const { return in_ == In::kDone; }
  bool in_tunnel() const { return in_ == In::kTunnel; }
  bool head_started() const { return head_started_; }
  bool head_done() const { return in_ != In::kHead; }

 private:
  enum class In : std::uint8_t { kHead, kLength, kChunked, kTrailers, kUntilClose, kDone, kTunnel };
  static constexpr StreamId kStream = 1;
  static constexpr int kMaxInformational = 16;

  FeedResult read_head(std::string_view bytes, CodecSink& sink);
  FeedResult read_chunked(std::string_view bytes, CodecSink& sink);
  FeedResult read_trailers(std::string_view bytes, CodecSink& sink);

  const HeadLimits* limits_;
  std::uint64_t left_ = 0;
  ChunkedReader chunked_;
  std::uint32_t scanned_ = 0;  // a head without a new LF beyond here is not parsed again
  Role role_;
  In in_ = In::kHead;
  BodyLength::Kind out_ = BodyLength::Kind::kNone;
  Method request_ = Method::kOther;
  std::uint8_t informational_ = 0;
  bool awaits_upgrade_ = false;
  bool head_started_ = false;
  bool paused_ = false;
  bool out_tunnel_ = false;
};

}  // namespace albatross
