// The session with nghttp2: feeding it and producing frames. receive.cc and send.cc have its callbacks.
#include "http/h2/codec.h"

#include <algorithm>

#include "http/h2/callbacks.h"
#include "http/h2/memory.h"

namespace albatross {

namespace {

// Writes into our first SETTINGS frame how many streams the peer may open; that is its first entry. False if the frame
// is another one.
bool correct_settings(char* frame, std::size_t size, std::uint32_t max_streams) {
  constexpr std::size_t kValue = 9 + 2;
  if (size < kValue + 4 || frame[3] != NGHTTP2_SETTINGS || (frame[4] & NGHTTP2_FLAG_ACK) != 0) return false;
  for (std::size_t i = 0; i < 4; ++i) frame[kValue + i] = static_cast<char>(max_streams >> (24 - 8 * i));
  return true;
}

}  // namespace

H2Codec::H2Codec(Role role, const HeadLimits& limits, const H2Settings& settings)
    : settings_(settings),
      role_(role),
      section_(limits),
      limits_(&limits),
      frames_(role == Role::kServer ? static_cast<std::uint32_t>(kH2Preface.size()) : 0) {
  if (role == Role::kServer) {
    nghttp2_session_server_new3(&session_, H2Callbacks::table(), this, H2Callbacks::options(), h2_memory());
  } else {
    nghttp2_session_client_new3(&session_, H2Callbacks::table(), this, H2Callbacks::options(), h2_memory());
  }
  // nghttp2 ends the connection at one stream too many, while RFC 9113 §5.1.2 asks for the end of the stream. So
  // nghttp2 is told twice the number and the peer the number itself (see produce); streams in between are refused.
  nghttp2_settings_entry entries[4] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2 * settings.max_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.head + limits.fields * 32},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
  };
  if (role == Role::kClient) entries[3] = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries, 4);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

H2Codec::~H2Codec() { nghttp2_session_del(session_); }

FeedResult H2Codec::feed(std::string_view bytes, CodecSink& sink) {
  if (failure_ != Cause::kNone) return {bytes.size(), failure_, failure_detail_};
  // RFC 9113 §8.1: asks clients that still send after the whole answer to stop.
  lingering_.expire(now_, [this](std::int32_t id) { submit_reset(session_, id, NGHTTP2_NO_ERROR); });
  if (role_ == Role::kClient && !bytes_seen_ && bytes.starts_with("HTTP/1.")) {
    give_up(NGHTTP2_PROTOCOL_ERROR, Cause::kProtocolError,
            "the server speaks HTTP/1.1, so its group needs protocol http or https");
    return {bytes.size(), failure_, failure_detail_};
  }
  if (!bytes.empty()) bytes_seen_ = true;
  sink_ = &sink;
  turn_decoded_ = 0;
  ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  // If it has paused after the last byte, a frame that ends there would be reported only with the next byte.
  if (n == static_cast<ssize_t>(bytes.size()) && turn_decoded_ >= kTurnDecoded) {
    constexpr std::uint8_t kNothing = 0;
    if (const ssize_t end = nghttp2_session_mem_recv(session_, &kNothing, 0); end < 0) n = end;
  }
  sink_ = nullptr;
  if (n >= 0) bytes = bytes.substr(0, static_cast<std::size_t>(n));  // less than all if on_header has paused
  frames_.feed(bytes);
  if (n < 0) {
    bool flood = n == NGHTTP2_ERR_FLOODED || n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
    give_up(flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR, flood ? Cause::kFlood : Cause::kProtocolError,
            nghttp2_strerror(static_cast<int>(n)));
  }
  return {bytes.size(), failure_, failure_detail_};
}

void H2Codec::give_up(std::uint32_t code, Cause cause, const char* why) {
  if (failure_ != Cause::kNone) return;
  failure_ = cause;
  failure_detail_ = why;
  nghttp2_session_terminate_session(session_, code);
}

void H2Codec::produce(Output& out, CodecSink& sink) {
  out_ = &out;
  sink_ = &sink;
  while (out.size() < kWrite && out.borrowed_parts() < Output::kParts - 2) {
    const std::uint8_t* bytes = nullptr;
    ssize_t n = nghttp2_session_mem_send(session_, &bytes);
    if (n < 0) {
      if (failure_ == Cause::kNone) {
        failure_ = Cause::kProtocolError;
        failure_detail_ = nghttp2_strerror(static_cast<int>(n));
      }
      break;
    }
    if (n == 0) break;  // there is nothing more, or write_data has filled the output
    char* room = out.reserve(static_cast<std::size_t>(n));
    std::copy_n(reinterpret_cast<const char*>(bytes), n, room);
    if (!settings_sent_) settings_sent_ = correct_settings(room, static_cast<std::size_t>(n), settings_.max_streams);
    out.commit(static_cast<std::size_t>(n));
  }
  out_ = nullptr;
  sink_ = nullptr;
}

bool H2Codec::wants_to_produce() const { return nghttp2_session_want_write(session_) != 0; }

void H2Codec::own() {
  for (WireStream* s : fresh_) {
    s->waiting.append(s->fresh);
    s->fresh = {};
    s->listed = false;
  }
  fresh_.clear();
}

std::size_t H2Codec::fresh_bytes() const {
  std::size_t n = 0;
  for (const WireStream* s : fresh_) n += s->fresh.size();
  return n;
}

void H2Codec::consume(WireStream& s, std::size_t n) {
  if (s.id != 0) nghttp2_session_consume_stream(session_, static_cast<std::int32_t>(s.id), n);
}

void H2Codec::start_tunnel(WireStream& s) {
  s.tunnel = true;
  // Unlike with HTTP/1.1, either side may have ended already.
  if (s.in == Direction::kBody) advance(s.in, Step::kTunnel);
  if (s.out == Direction::kBody) advance(s.out, Step::kTunnel);
}

void H2Codec::abandon(WireStream& s) {
  if (s.listed) std::erase(fresh_, &s);
  s.listed = false;
  s.fresh = {};
  s.waiting.clear();
  if (block_ == &s) block_ = nullptr;
  if (s.id == 0) return;
  if (role_ == Role::kServer) --live_;
  if (s.closed) return;
  nghttp2_session_set_stream_user_data(session_, static_cast<std::int32_t>(s.id), nullptr);
  const bool heard = s.in == Direction::kEnded;
  std::uint32_t code = role_ == Role::kClient || s.tunnel ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR;
  if (role_ == Role::kServer ? s.end_sent : heard) code = NGHTTP2_NO_ERROR;
  if (!s.end_sent || !heard) submit_reset(session_, static_cast<std::int32_t>(s.id), code);
}

std::uint32_t H2Codec::max_streams() const {
  constexpr std::uint32_t kLastId = 0x7fffff00;
  if (goaway_seen_ || failure_ != Cause::kNone || nghttp2_session_get_next_stream_id(session_) > kLastId) return 0;
  return std::min(settings_.max_streams,
                  nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
}

bool H2Codec::takes_tunnels() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

bool H2Codec::over() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

bool H2Codec::clogged() const {
  constexpr std::size_t kFrames = 256;
  return nghttp2_session_get_outbound_queue_size(session_) > kFrames;
}

void H2Codec::announce_goaway() { nghttp2_submit_shutdown_notice(session_); }

void H2Codec::finish_goaway() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void H2Codec::ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }

}  // namespace albatross
