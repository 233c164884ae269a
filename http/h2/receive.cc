// What comes: header blocks, data, the ends of streams, and what a peer must not do.
#include <algorithm>
#include <charconv>

#include "http/framing.h"
#include "http/h2/codec.h"

namespace albatross {
namespace {

bool ends(const nghttp2_frame& f) { return (f.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0; }
StreamId id_of(const nghttp2_frame_hd& hd) { return static_cast<StreamId>(hd.stream_id); }

}  // namespace

// ---- budgets and states ----

int H2Codec::on_begin_frame(const nghttp2_frame_hd& hd) {
  switch (hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS: check_closed(hd); [[fallthrough]];
    case NGHTTP2_CONTINUATION: controls_.give(); break;
    case NGHTTP2_WINDOW_UPDATE:
    case NGHTTP2_RST_STREAM: break;
    default:
      if (!controls_.take(now_)) give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "too many control frames");
  }
  return 0;
}

// RFC 9113 §5.1: nghttp2 forgets streams that are over, and ignores what comes for them.
void H2Codec::check_closed(const nghttp2_frame_hd& hd) {
  StreamId id = id_of(hd);
  if (role_ != Role::kServer || id > last_opened_ || id % 2 == 0) return;
  if (nghttp2_session_find_stream(session_, hd.stream_id) != nullptr) return;
  for (const Opened& o : opened_) {
    if (o.id != id) continue;
    if (!o.reset_by_us) give_up(NGHTTP2_STREAM_CLOSED, Cause::kProtocolError, "a frame on a stream that is closed");
    return;
  }
  if (hd.type == NGHTTP2_HEADERS)
    give_up(NGHTTP2_PROTOCOL_ERROR, Cause::kProtocolError, "a stream identifier below an earlier one");
}

void H2Codec::linger(StreamId id, std::size_t bytes) {
  for (Lingering& l : lingering_) {
    if (l.id == id) l.bytes -= static_cast<std::uint32_t>(std::min<std::size_t>(l.bytes, bytes));
  }
  nghttp2_session_consume_stream(session_, static_cast<std::int32_t>(id), bytes);
}

// RFC 9113 §8.1: who still sends after the whole answer is asked to stop.
void H2Codec::stop_lingering() {
  std::erase_if(lingering_, [this](const Lingering& l) {
    bool stop = l.bytes == 0 || now_ >= l.until;
    if (stop) submit_reset(l.id, NGHTTP2_NO_ERROR);
    return stop;
  });
}

// ---- header blocks ----

void H2Codec::on_begin_headers(const nghttp2_frame& f) {
  block_ = nullptr;
  if (f.hd.type != NGHTTP2_HEADERS || deaf()) return;
  StreamId id = id_of(f.hd);
  if (f.headers.cat == NGHTTP2_HCAT_REQUEST) {
    last_opened_ = std::max(last_opened_, id);
    opened_[opened_count_++ % opened_.size()] = {id, false};
    if (live_ == settings_.max_streams) return submit_reset(id, NGHTTP2_REFUSED_STREAM);
    ++live_;
    block_ = &sink_->on_begin(id);
    block_->id = id;
    nghttp2_session_set_stream_user_data(session_, f.hd.stream_id, block_);
  } else {
    block_ = stream(id);
  }
  if (block_ == nullptr) return;
  head_ = Head{};
  head_.fields = Fields(sink_->arena_of(*block_));
  protocol_ = {};
  decoded_ = fields_ = crumbs_ = 0;
  over_ = Cause::kNone;
}

// Decoded bytes count while they come: a small block may name a large entry of the table thousands of times.
void H2Codec::on_header(std::string_view name, std::string_view value) {
  if (block_ == nullptr) return;
  std::size_t size = decoded_ + name.size() + value.size() + 4;
  if (size > limits_->head) {
    over_ = Cause::kHeadTooLarge;
    return;
  }
  decoded_ = static_cast<std::uint32_t>(size);
  if (name[0] == ':') return take_pseudo(name, value);
  HeaderId id = header_id(name);
  if (id != HeaderId::kCookie || crumbs_++ == 0) ++fields_;
  if (fields_ > limits_->fields || name.size() > 0xffff) {
    over_ = Cause::kHeadTooLarge;
    return;
  }
  Arena& arena = head_.fields.arena();
  head_.fields.add(id, id == HeaderId::kOther ? arena.copy(name) : header_name(id), arena.copy(value));
}

void H2Codec::take_pseudo(std::string_view name, std::string_view value) {
  if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), head_.status);
    return;
  }
  std::string_view text = head_.fields.arena().copy(value);
  if (name == ":method") {
    head_.method_text = text;
  } else if (name == ":path") {
    head_.target = text;
    if (text.size() > limits_->target) over_ = Cause::kTargetTooLong;
  } else if (name == ":authority") {
    head_.authority = text;
  } else if (name == ":scheme") {
    head_.scheme = text;
  } else if (name == ":protocol") {
    protocol_ = text;
  }
}

// RFC 9113 §8.2.3.
void H2Codec::join_cookies() {
  if (crumbs_ < 2) return;
  std::size_t size = 0;
  for (const Field& f : head_.fields) size += f.id == HeaderId::kCookie ? f.value_size + std::size_t{2} : 0;
  char* text = head_.fields.arena().bytes(size);
  char* p = text;
  for (const Field& f : head_.fields) {
    if (f.id != HeaderId::kCookie) continue;
    if (p != text) p = std::copy_n("; ", 2, p);
    p = std::copy_n(f.value_data, f.value_size, p);
  }
  head_.fields.set(HeaderId::kCookie, "cookie", {text, static_cast<std::size_t>(p - text)});
}

void H2Codec::finish_request(bool end) {
  WireStream& s = *block_;
  s.end_seen = end;
  Refusal why{over_, nullptr};
  if (over_ == Cause::kNone) {
    join_cookies();
    why = apply_h2_request_rules(head_, protocol_, end, head_.fields.begin(), head_.fields.size());
  }
  if (why.cause == Cause::kNone) {
    s.tunnel = false;
    head_.wire_size = decoded_;
    sink_->on_head(s, head_, end);
    return;
  }
  if (why.cause == Cause::kMalformedRequest) {
    s.why = why.detail;
    submit_reset(s.id, NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  if (!glitches_.take(now_))
    give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "too many requests that had to be refused");
  sink_->on_over_limit(s, why.cause, why.detail);
}

void H2Codec::finish_response(bool end) {
  WireStream& s = *block_;
  if (over_ != Cause::kNone || ++s.heads > kMaxInformational) {
    s.why = "the response head is too large";
    return submit_reset(s.id, NGHTTP2_PROTOCOL_ERROR);
  }
  if (s.tunnel && head_.status >= 200 && head_.status < 300 && !end) {
    head_.status = 101;
    head_.upgrade = true;
  }
  Refusal why = apply_h2_response_rules(head_, s.to_head, end, head_.fields.begin(), head_.fields.size());
  if (why.cause != Cause::kNone) {
    s.why = why.detail;
    return submit_reset(s.id, NGHTTP2_PROTOCOL_ERROR);
  }
  s.head_seen = head_.status >= 200 || head_.status == 101;
  s.end_seen = end;
  head_.wire_size = decoded_;
  sink_->on_head(s, head_, end);
}

void H2Codec::finish_trailers(bool end) {
  WireStream& s = *block_;
  // Without END_STREAM nghttp2 has reset the stream.
  if (!end) return;
  s.end_seen = true;
  if (over_ != Cause::kNone) {
    s.why = "the trailers are too large";
    return submit_reset(s.id, NGHTTP2_PROTOCOL_ERROR);
  }
  strip_trailers(head_.fields.begin(), head_.fields.size());
  sink_->on_end(s, head_.fields.size() == 0 ? nullptr : &head_.fields);
}

// ---- frames ----

void H2Codec::on_frame(const nghttp2_frame& f) {
  switch (f.hd.type) {
    case NGHTTP2_HEADERS: {
      WireStream* s = block_;
      if (s == nullptr || deaf()) return;
      if (role_ == Role::kServer && f.headers.cat == NGHTTP2_HCAT_REQUEST) {
        finish_request(ends(f));
      } else if (role_ == Role::kClient && !s->head_seen) {
        finish_response(ends(f));
      } else {
        finish_trailers(ends(f));
      }
      block_ = nullptr;
      return;
    }
    case NGHTTP2_DATA: {
      bool empty = f.hd.length <= f.data.padlen;
      if (empty && !ends(f) && !glitches_.take(now_))
        give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "too many empty data frames");
      WireStream* s = stream(id_of(f.hd));
      if (s == nullptr || !ends(f) || deaf()) return;
      s->end_seen = true;
      sink_->on_end(*s, nullptr);
      return;
    }
    case NGHTTP2_RST_STREAM:
      if (WireStream* s = stream(id_of(f.hd))) s->peer_reset = true;
      if (!peer_resets_.take(now_)) give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "too many streams were reset");
      return;
    case NGHTTP2_SETTINGS:
      if ((f.hd.flags & NGHTTP2_FLAG_ACK) == 0) settings_seen_ = true;
      return;
    case NGHTTP2_GOAWAY: goaway_seen_ = true; return;
    default: return;
  }
}

void H2Codec::on_data(StreamId id, std::string_view data) {
  nghttp2_session_consume_connection(session_, data.size());
  WireStream* s = stream(id);
  if (s != nullptr && !deaf()) {
    sink_->on_data(*s, data);
  } else {
    linger(id, data.size());
  }
}

void H2Codec::on_close(StreamId id, std::uint32_t code) {
  WireStream* s = stream(id);
  if (s == nullptr) {
    std::erase_if(lingering_, [id](const Lingering& l) { return l.id == id; });
    return;
  }
  s->closed = true;
  if (role_ == Role::kServer) --live_;
  nghttp2_session_set_stream_user_data(session_, static_cast<std::int32_t>(id), nullptr);
  if (s->listed) std::erase(fresh_, s);
  s->listed = false;
  if (block_ == s) block_ = nullptr;
  if (deaf()) return;
  bool whole =
      role_ == Role::kServer ? s->end_sent && (!s->tunnel || s->end_seen) : s->end_seen && (!s->tunnel || s->end_sent);
  if (whole) return sink_->on_closed(*s, Error{});
  const char* detail = s->why != nullptr ? s->why : nghttp2_http2_strerror(code);
  if (role_ == Role::kServer) {
    Cause cause = s->peer_reset ? Cause::kClientLeft : Cause::kMalformedRequest;
    return sink_->on_closed(*s, {cause, Source::kDownstream, RetrySafety::kNever, 0, detail});
  }
  // RFC 9113 §8.7: refused, or above the last stream of a GOAWAY, was not worked on.
  bool untouched = code == NGHTTP2_REFUSED_STREAM && !s->head_seen;
  Cause cause = s->head_seen                 ? Cause::kUpstreamTruncated
                : s->peer_reset || untouched ? Cause::kUpstreamReset
                                             : Cause::kUpstreamMalformed;
  RetrySafety retry = !untouched ? RetrySafety::kNever : s->peer_reset ? RetrySafety::kRefused : RetrySafety::kSafe;
  sink_->on_closed(*s, {cause, Source::kUpstream, retry, 0, detail});
}

}  // namespace albatross
