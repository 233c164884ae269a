// HTTP/2 (RFC 9113) as a Codec, in both roles, on nghttp2. Owned by MuxStreams; used on the connection's thread.
//
// nghttp2 does the framing, the compression and the windows. This class adds what nghttp2 does not do: budgets against
// floods, stream states that it is lenient about, and heads (http/field_section.h). Received data is credited to the
// connection at once, and to its stream when the session consumes it, so a slow stream closes its own window only. Data
// to send waits in its WireStream; produce() makes frames of what the windows allow, for many streams in one write.
//
// An extended CONNECT (RFC 8441) reads and writes as the WebSocket upgrade of HTTP/1.1: a GET with `upgrade`, answered
// by 101.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <vector>

#include "http/codec.h"
#include "http/field_section.h"
#include "http/h2/budget.h"
#include "http/h2/frames.h"
#include "http/h2/peer_streams.h"

namespace albatross {

struct H2Settings {
  std::uint32_t max_streams = 128;           // the most that the peer may open, and that we open on one connection
  std::uint32_t stream_window = 128 * 1024;  // bytes
};

inline constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class H2Codec final : public MuxCodec {
 public:
  // `limits` outlives this object.
  H2Codec(Role role, const HeadLimits& limits, const H2Settings& settings);
  ~H2Codec() override;
  H2Codec(const H2Codec&) = delete;
  H2Codec& operator=(const H2Codec&) = delete;

  FeedResult feed(std::string_view bytes, CodecSink& sink) override;
  bool head_started() const override { return bytes_seen_ && (!settings_seen_ || frames_.in_block()); }
  void open(WireStream& s, Method request, bool upgrade) override;
  void send_head(WireStream& s, const Head& head, bool end, Output& out) override;
  void send_data(WireStream& s, std::string_view data, Output& out) override;
  void send_end(WireStream& s, const Fields* trailers, Output& out) override;
  void start_tunnel(WireStream& s) override;

  std::uint32_t heads_begun() const override { return frames_.blocks(); }
  void stop() override { stopped_ = true; }
  void produce(Output& out, CodecSink& sink) override;
  bool wants_to_produce() const override;
  void own() override;
  std::size_t fresh_bytes() const override;
  void consume(WireStream& s, std::size_t n) override;
  void abandon(WireStream& s) override;
  bool ready() const override { return settings_seen_; }
  std::uint32_t max_streams() const override;
  bool takes_tunnels() const override;
  bool clogged() const override;
  bool over() const override;
  void announce_goaway() override;
  void finish_goaway() override;
  void ping() override;
  void set_time(Nanos now) override { now_ = now; }
  FeedResult failure() const override { return {0, failure_, failure_detail_}; }

 private:
  friend struct H2Callbacks;
  static constexpr std::size_t kWrite = 48 * 1024;     // bytes that produce() makes at a time
  static constexpr std::size_t kCopyBelow = 2 * 1024;  // bytes; smaller data is copied after its frame header
  static constexpr int kConnectionWindow = 16 * 1024 * 1024;
  static constexpr int kMaxInformational = 16;

  // receive.cc
  void on_begin_frame(const nghttp2_frame_hd& hd);
  void on_begin_headers(const nghttp2_frame& frame);
  // False: the rest is to be read in another turn.
  bool on_header(std::string_view name, std::string_view value);
  void on_frame(const nghttp2_frame& frame);
  void on_data(std::int32_t id, std::string_view data);
  void on_close(std::int32_t id, std::uint32_t code);
  void finish_request(bool end);
  void finish_response(bool end);
  void finish_trailers(bool end);
  void check_closed(const nghttp2_frame_hd& hd);
  void give_up(std::uint32_t code, Cause cause, const char* why);

  // send.cc
  void on_sent(const nghttp2_frame& frame);
  void response_sent(std::int32_t id);
  ssize_t read_data(WireStream& s, std::size_t room, std::uint32_t* flags);
  int write_data(const std::uint8_t* header, WireStream& s, std::size_t size);
  void submit_response(WireStream& s, const Head& head, bool end);
  void submit_request(WireStream& s, const Head& head, bool end);
  bool deaf() const { return stopped_ || failure_ != Cause::kNone; }

  // Made by the constructor, deleted by the destructor. Its callbacks get this object.
  nghttp2_session* session_ = nullptr;
  H2Settings settings_;
  Role role_;
  CodecSink* sink_ = nullptr;  // set inside feed() and produce()
  Output* out_ = nullptr;      // set inside produce()
  std::vector<WireStream*> fresh_;

  FieldSection section_;         // of the header block that is being read
  WireStream* block_ = nullptr;  // the stream that the block belongs to
  // Decoded bytes of fields, whether the fields are kept or not: in that block, and in one feed().
  static constexpr std::uint32_t kFieldOverhead = 32;  // of each field, RFC 7541 §4.1
  static constexpr std::uint32_t kMostDecoded = 4;     // of a block, times the limit of a head
  static constexpr std::uint32_t kTurnDecoded = 512 * 1024;
  const HeadLimits* limits_;
  std::uint32_t block_decoded_ = 0;
  std::uint32_t turn_decoded_ = 0;

  H2Frames frames_;
  std::uint32_t live_ = 0;  // server: the peer's streams that our owner still has
  bool stopped_ = false;
  bool settings_sent_ = false;
  bool bytes_seen_ = false;
  bool settings_seen_ = false;
  bool goaway_seen_ = false;
  RecentStreams recent_;
  LingeringStreams lingering_;
  Cause failure_ = Cause::kNone;
  const char* failure_detail_ = nullptr;
  std::string goaway_text_;

  Nanos now_ = 0;
  Budget peer_resets_{1000, 200};
  Budget glitches_{150, 10};    // errors of the peer that cost a stream, and empty data frames
  Budget controls_{1000, 100};  // PING, SETTINGS, PRIORITY and others; heads and data give some back
};

}  // namespace albatross
