// Handles what nghttp2 reports about the peer: header blocks, data, the ends of streams, and violations.
#include <algorithm>

#include "http/h2/callbacks.h"
#include "http/h2/codec.h"

namespace albatross {
namespace {

bool ends(const nghttp2_frame& f) { return (f.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0; }

// Why a stream closed. RFC 9113 §8.7: a request that was refused, or is above the last stream of a GOAWAY, was not
// processed.
Error why_closed(Role role, const WireStream& s, std::uint32_t code) {
  const char* detail = s.why != nullptr ? s.why : nghttp2_http2_strerror(code);
  if (role == Role::kServer) {
    Cause cause = s.peer_reset ? Cause::kClientLeft : Cause::kMalformedRequest;
    return {cause, Source::kDownstream, RetrySafety::kNever, 0, detail};
  }
  const bool answered = s.in != Direction::kIdle;
  const bool untouched = code == NGHTTP2_REFUSED_STREAM && !answered;
  Cause cause = answered                    ? Cause::kUpstreamTruncated
                : s.peer_reset || untouched ? Cause::kUpstreamReset
                                            : Cause::kUpstreamMalformed;
  RetrySafety retry = !untouched ? RetrySafety::kNever : s.peer_reset ? RetrySafety::kRefused : RetrySafety::kSafe;
  return {cause, Source::kUpstream, retry, 0, detail};
}

}  // namespace

// ---- budgets and states ----

void H2Codec::on_begin_frame(const nghttp2_frame_hd& hd) {
  switch (hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS: check_closed(hd); [[fallthrough]];
    case NGHTTP2_CONTINUATION: controls_.give(); break;
    case NGHTTP2_WINDOW_UPDATE:
    case NGHTTP2_RST_STREAM: break;
    default:
      if (!controls_.take(now_)) give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "too many control frames");
  }
}

// RFC 9113 §5.1: a frame on a closed stream is an error. nghttp2 forgets closed streams and ignores their frames.
void H2Codec::check_closed(const nghttp2_frame_hd& hd) {
  if (role_ != Role::kServer || hd.stream_id > recent_.last() || hd.stream_id % 2 == 0) return;
  if (nghttp2_session_find_stream(session_, hd.stream_id) != nullptr) return;
  switch (recent_.find(hd.stream_id)) {
    case RecentStreams::What::kReset: return;
    case RecentStreams::What::kOver:
      return give_up(NGHTTP2_STREAM_CLOSED, Cause::kProtocolError, "a frame on a stream that is closed");
    case RecentStreams::What::kUnknown: break;
  }
  if (hd.type == NGHTTP2_HEADERS)
    give_up(NGHTTP2_PROTOCOL_ERROR, Cause::kProtocolError, "a stream identifier below an earlier one");
}

// ---- header blocks ----

void H2Codec::on_begin_headers(const nghttp2_frame& f) {
  block_ = nullptr;
  block_decoded_ = 0;
  if (f.hd.type != NGHTTP2_HEADERS || deaf()) return;
  if (f.headers.cat == NGHTTP2_HCAT_REQUEST) {
    const StreamId id = static_cast<StreamId>(f.hd.stream_id);
    recent_.opened(f.hd.stream_id);
    if (live_ >= settings_.max_streams) return submit_reset(session_, f.hd.stream_id, NGHTTP2_REFUSED_STREAM);
    ++live_;
    block_ = &sink_->on_begin(id);
    block_->id = id;
    nghttp2_session_set_stream_user_data(session_, f.hd.stream_id, block_);
  } else {
    block_ = stream_of(session_, f.hd.stream_id);
  }
  if (block_ != nullptr) section_.begin(sink_->arena_of(*block_));
}

// A byte on the wire may decode to kilobytes, which cost CPU time even if they are dropped.
bool H2Codec::on_header(std::string_view name, std::string_view value) {
  const std::uint32_t size = static_cast<std::uint32_t>(name.size() + value.size()) + kFieldOverhead;
  block_decoded_ += size;
  turn_decoded_ += size;
  if (block_decoded_ > kMostDecoded * limits_->head) {
    give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "a header block decodes to far more than the limit");
  } else if (block_ != nullptr) {
    section_.add(name, value);
  }
  return turn_decoded_ < kTurnDecoded;
}

void H2Codec::finish_request(bool end) {
  WireStream& s = *block_;
  Refusal why = section_.finish_request(end);
  if (why.cause == Cause::kMalformedRequest) {
    s.why = why.detail;
    submit_reset(session_, static_cast<std::int32_t>(s.id), NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  advance(s.in, Step::kHead);
  if (end) advance(s.in, Step::kEnd);
  if (why.cause == Cause::kNone) return sink_->on_head(s, section_.head(), end);
  if (!glitches_.take(now_))
    give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "too many requests that had to be refused");
  sink_->on_over_limit(s, why.cause, why.detail);
}

void H2Codec::finish_response(bool end) {
  WireStream& s = *block_;
  Refusal why = section_.finish_response(s.to_head, s.tunnel, end);
  if (++s.heads > kMaxInformational) why = {Cause::kHeadTooLarge, "too many informational responses"};
  if (why.cause != Cause::kNone) {
    s.why = why.detail;
    return submit_reset(session_, static_cast<std::int32_t>(s.id), NGHTTP2_PROTOCOL_ERROR);
  }
  const bool final_head = section_.head().status >= 200 || section_.head().status == 101;
  advance(s.in, final_head ? Step::kHead : Step::kInformational);
  if (end) advance(s.in, final_head ? Step::kEnd : Step::kReset);
  sink_->on_head(s, section_.head(), end);
}

void H2Codec::finish_trailers(bool end) {
  WireStream& s = *block_;
  // nghttp2 has reset the stream if END_STREAM is missing.
  if (!end || !may(s.in, Step::kEnd)) return;
  advance(s.in, Step::kEnd);
  if (section_.over() != Cause::kNone) {
    s.why = "the trailers are too large";
    return submit_reset(session_, static_cast<std::int32_t>(s.id), NGHTTP2_PROTOCOL_ERROR);
  }
  sink_->on_end(s, section_.finish_trailers());
}

// ---- frames ----

void H2Codec::on_frame(const nghttp2_frame& f) {
  switch (f.hd.type) {
    case NGHTTP2_HEADERS: {
      WireStream* s = block_;
      if (s == nullptr || deaf()) return;
      if (role_ == Role::kServer && f.headers.cat == NGHTTP2_HCAT_REQUEST) {
        finish_request(ends(f));
      } else if (role_ == Role::kClient && s->in == Direction::kIdle) {
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
      WireStream* s = stream_of(session_, f.hd.stream_id);
      if (s == nullptr || !ends(f) || deaf() || !may(s->in, Step::kEnd)) return;
      advance(s->in, Step::kEnd);
      sink_->on_end(*s, nullptr);
      return;
    }
    case NGHTTP2_RST_STREAM:
      if (WireStream* s = stream_of(session_, f.hd.stream_id)) s->peer_reset = true;
      if (!peer_resets_.take(now_)) give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "too many streams were reset");
      return;
    case NGHTTP2_SETTINGS:
      if ((f.hd.flags & NGHTTP2_FLAG_ACK) == 0) settings_seen_ = true;
      return;
    case NGHTTP2_GOAWAY: goaway_seen_ = true; return;
    default: return;
  }
}

void H2Codec::on_data(std::int32_t id, std::string_view data) {
  nghttp2_session_consume_connection(session_, data.size());
  WireStream* s = stream_of(session_, id);
  if (s != nullptr && !deaf() && may(s->in, Step::kData)) return sink_->on_data(*s, data);
  lingering_.dropped(id, data.size());
  nghttp2_session_consume_stream(session_, id, data.size());
}

void H2Codec::on_close(std::int32_t id, std::uint32_t code) {
  WireStream* s = stream_of(session_, id);
  if (s == nullptr) return lingering_.closed(id);
  s->closed = true;
  nghttp2_session_set_stream_user_data(session_, id, nullptr);
  if (s->listed) std::erase(fresh_, s);
  s->listed = false;
  if (block_ == s) block_ = nullptr;
  if (deaf()) return;
  const bool heard = s->in == Direction::kEnded;
  bool whole = role_ == Role::kServer ? s->end_sent && (!s->tunnel || heard) : heard && (!s->tunnel || s->end_sent);
  sink_->on_closed(*s, whole ? Error{} : why_closed(role_, *s, code));
}

}  // namespace albatross
