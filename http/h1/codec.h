// HTTP/1.x as a Codec, in both roles: one message at a time in each direction. Owned by SerialStreams; used on the
// connection's thread.
//
// A server's codec reads requests and writes responses, a client's the reverse. After a complete message feed()
// consumes no bytes until next_message(). After a 101 both directions are a tunnel, whose data is verbatim. Heads are
// parsed in place and copied once, into the arena that the sink names.
#pragma once

#include "http/codec.h"
#include "http/h1/chunked.h"
#include "http/h1/parse.h"

namespace albatross {

class H1Codec final : public SerialCodec {
 public:
  H1Codec(Role role, const HeadLimits& limits) : limits_(&limits), role_(role) {}

  FeedResult feed(std::string_view bytes, CodecSink& sink) override;
  FeedResult feed_end(CodecSink& sink) override;
  void open(WireStream& s, Method request, bool upgrade) override;
  void send_head(WireStream& s, const Head& head, bool end, Output& out) override;
  void send_data(WireStream& s, std::string_view data, Output& out) override;
  void send_end(WireStream& s, const Fields* trailers, Output& out) override;
  void start_tunnel(WireStream& s) override;

  void next_message() override;
  void pause() override { paused_ = true; }
  bool paused() const override { return paused_; }
  bool between_messages() const override { return in_ == In::kHead && !head_started_; }
  bool message_done() const override { return in_ == In::kDone; }
  bool head_started() const override { return head_started_; }
  bool head_done() const override { return in_ != In::kHead; }

 private:
  enum class In : std::uint8_t { kHead, kLength, kChunked, kTrailers, kUntilClose, kDone, kTunnel };
  static constexpr StreamId kStream = 1;
  static constexpr int kMaxInformational = 16;

  void message_ended(CodecSink& sink, Fields* trailers);
  FeedResult read_head(std::string_view bytes, CodecSink& sink);
  FeedResult read_chunked(std::string_view bytes, CodecSink& sink);
  FeedResult read_trailers(std::string_view bytes, CodecSink& sink);

  const HeadLimits* limits_;
  WireStream* stream_ = nullptr;  // the stream whose message is being read
  std::uint64_t left_ = 0;
  ChunkedReader chunked_;
  std::uint32_t scanned_ = 0;  // bytes of a head that was incomplete: parsed again when an LF follows them
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
