// HTTP/2 (RFC 9113) as a Codec, both roles, on nghttp2.
//
// nghttp2 frames, compresses and keeps the windows; what it does not do is here: budgets against floods, stream states
// that it is lenient about, limits while a head is decoded, and the rules of framing.h. Received data is credited to
// the connection at once and to its stream when the session consumes it, so a slow stream closes its own window only.
// Data to send waits in its WireStream; produce() turns what the windows allow into frames, many streams in one write.
//
// Extended CONNECT (RFC 8441) reads and writes as the websocket upgrade of HTTP/1.1: a GET with `upgrade`, answered by
// 101.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <string>
#include <vector>

#include "http/codec.h"
#include "http/h1/parse.h"
#include "http/h2/budget.h"
#include "http/h2/frames.h"

namespace albatross {

struct H2Settings {
  std::uint32_t max_streams = 128;           // that the peer may open; and the most we open on one connection
  std::uint32_t stream_window = 128 * 1024;  // bytes
};

inline constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class H2Codec final : public Codec {
 public:
  H2Codec(Role role, const HeadLimits& limits, const H2Settings& settings);
  ~H2Codec() override;
  H2Codec(const H2Codec&) = delete;
  H2Codec& operator=(const H2Codec&) = delete;

  FeedResult feed(std::string_view bytes, CodecSink& sink) override;
  FeedResult feed_end(CodecSink&) override { return {}; }
  void open(WireStream& s, Method request, bool upgrade) override;
  void send_head(WireStream& s, const Head& head, bool end, Output& out) override;
  void send_data(WireStream& s, std::string_view data, Output& out) override;
  void send_end(WireStream& s, const Fields* trailers, Output& out) override;
  void start_tunnel(WireStream& s) override { s.tunnel = true; }

  bool head_started() const override { return bytes_seen_ && (!settings_seen_ || frames_.in_block()); }
  std::uint32_t heads_begun() const override { return frames_.blocks(); }
  bool multiplexes() const override { return true; }
  // For good: nothing that still comes is told.
  void pause() override { stopped_ = true; }
  void produce(Output& out, CodecSink& sink) override;
  bool wants_to_produce() const override;
  void own() override;
  std::size_t fresh_bytes() const override;
  void consume(WireStream& s, std::size_t n) override;
  void abandon(WireStream& s) override;
  bool ready() const override { return settings_seen_; }
  std::uint32_t max_streams() const override;
  bool clogged() const override;
  bool over() const override;
  void announce_goaway() override;
  void finish_goaway() override;
  void ping() override;
  void set_time(Nanos now) override { now_ = now; }

  FeedResult failure() const override { return {0, failure_, failure_detail_}; }
  // The server takes websockets (RFC 8441 §3).
  bool takes_tunnels() const;

 private:
  friend struct H2Callbacks;
  static constexpr std::size_t kWrite = 48 * 1024;     // one write's worth
  static constexpr std::size_t kCopyBelow = 2 * 1024;  // smaller data goes behind its frame header in one piece
  static constexpr int kConnectionWindow = 16 * 1024 * 1024;
  static constexpr int kMaxInformational = 16;
  static constexpr std::uint32_t kLinger = 64 * 1024;  // bytes
  static constexpr std::size_t kMaxLingering = 16;

  // h2_receive.cc
  int on_begin_frame(const nghttp2_frame_hd& hd);
  void on_begin_headers(const nghttp2_frame& frame);
  void on_header(std::string_view name, std::string_view value);
  void on_frame(const nghttp2_frame& frame);
  void on_data(StreamId id, std::string_view data);
  void on_close(StreamId id, std::uint32_t code);
  void take_pseudo(std::string_view name, std::string_view value);
  void finish_request(bool end);
  void finish_response(bool end);
  void finish_trailers(bool end);
  void join_cookies();
  void check_closed(const nghttp2_frame_hd& hd);
  void linger(StreamId id, std::size_t bytes);
  void stop_lingering();
  void submit_reset(StreamId id, std::uint32_t code);
  void correct_settings(char* frame, std::size_t size);
  void give_up(std::uint32_t code, Cause cause, const char* why);

  // h2_send.cc
  void on_sent(const nghttp2_frame& frame);
  ssize_t read_data(WireStream& s, std::size_t room, std::uint32_t* flags);
  int write_data(const std::uint8_t* header, WireStream& s, std::size_t size);
  void put_body(WireStream& s, std::size_t size, char* into);
  void submit_trailers(WireStream& s, std::uint32_t* flags);
  void add_fields(const Fields& fields, bool tunnel);
  static nghttp2_data_source_read_callback read_callback();
  void add(std::string_view name, std::string_view value, bool index = true);
  void resume(WireStream& s);
  WireStream* stream(StreamId id) const;
  bool deaf() const { return stopped_ || failure_ != Cause::kNone; }

  nghttp2_session* session_ = nullptr;
  const HeadLimits* limits_;
  H2Settings settings_;
  Role role_;
  CodecSink* sink_ = nullptr;
  Output* out_ = nullptr;
  std::vector<WireStream*> fresh_;

  // The header block that is being read.
  WireStream* block_ = nullptr;
  Head head_;
  std::string_view protocol_;
  std::uint32_t decoded_ = 0;
  std::uint32_t fields_ = 0;
  std::uint32_t crumbs_ = 0;
  Cause over_ = Cause::kNone;

  H2Frames frames_;
  std::uint32_t live_ = 0;  // streams of the peer's that the session knows
  bool stopped_ = false;
  bool settings_sent_ = false;
  bool bytes_seen_ = false;
  bool settings_seen_ = false;
  bool goaway_seen_ = false;
  // Streams that the peer has opened lately: what comes for one that is over is late, or an error of the peer's.
  struct Opened {
    StreamId id = 0;
    bool reset_by_us = false;
  };
  std::array<Opened, 128> opened_{};
  std::uint32_t opened_count_ = 0;
  StreamId last_opened_ = 0;
  // Answered streams whose request still comes: a little of it is read and dropped before the client is told to stop.
  struct Lingering {
    StreamId id;
    std::uint32_t bytes;
    Nanos until;
  };
  std::vector<Lingering> lingering_;
  Cause failure_ = Cause::kNone;
  const char* failure_detail_ = nullptr;
  std::string goaway_text_;

  Nanos now_ = 0;
  Budget peer_resets_{1000, 200};
  Budget glitches_{150, 10};    // errors of the peer's that cost a stream, empty data
  Budget controls_{1000, 100};  // PING, SETTINGS, PRIORITY; data gives some back
};

}  // namespace albatross
