#include "http/h1/codec.h"

#include <algorithm>
#include <cstring>

#include "http/h1/write.h"

namespace albatross {
namespace {

// Parsing needs rows before there is an arena for them. One set for each thread is enough.
ParsedHead& scratch_head() {
  thread_local ParsedHead head;
  return head;
}

void shift(std::string_view& v, std::ptrdiff_t by) {
  if (v.data() != nullptr) v = {v.data() + by, v.size()};
}

// Copies the head's bytes into the arena and points every view there.
void settle_in(Arena& arena, std::string_view bytes, ParsedHead& parsed) {
  std::string_view copy = arena.copy(bytes);
  std::ptrdiff_t by = copy.data() - bytes.data();
  Head& h = parsed.head;
  h.fields = Fields(arena);
  h.fields.adopt(parsed.rows, parsed.count, by);
  bool star_or_default = h.path.data() < bytes.data() || h.path.data() > bytes.data() + bytes.size();
  for (std::string_view* v : {&h.method_text, &h.target, &h.authority, &h.query, &h.reason}) shift(*v, by);
  if (!star_or_default) shift(h.path, by);
  h.wire_size = static_cast<std::uint32_t>(bytes.size());
}

}  // namespace

void H1Codec::open(WireStream& s, Method request, bool upgrade) {
  s.id = kStream;
  stream_ = &s;
  request_ = request;
  awaits_upgrade_ = upgrade;
  informational_ = 0;
}

void H1Codec::next_message() {
  in_ = In::kHead;
  head_started_ = false;
  scanned_ = 0;
  informational_ = 0;
  chunked_.reset();
}

void H1Codec::start_tunnel(WireStream& s) {
  in_ = In::kTunnel;
  out_tunnel_ = true;
  s.tunnel = true;
  if (s.in != Direction::kTunnel) advance(s.in, Step::kTunnel);
  if (s.out != Direction::kTunnel) advance(s.out, Step::kTunnel);
}

void H1Codec::message_ended(CodecSink& sink, Fields* trailers) {
  in_ = In::kDone;
  if (may(stream_->in, Step::kEnd)) advance(stream_->in, Step::kEnd);  // unless it was cut in a callback
  sink.on_end(*stream_, trailers);
}

FeedResult H1Codec::feed(std::string_view bytes, CodecSink& sink) {
  FeedResult total;
  paused_ = false;
  while (!paused_) {
    std::string_view rest = bytes.substr(total.consumed);
    if (in_ == In::kDone || rest.empty()) break;
    FeedResult step;
    switch (in_) {
      case In::kHead: step = read_head(rest, sink); break;
      case In::kLength: {
        std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
        left_ -= n;
        step.consumed = n;
        sink.on_data(*stream_, rest.substr(0, n));
        if (left_ == 0) message_ended(sink, nullptr);
        break;
      }
      case In::kChunked: step = read_chunked(rest, sink); break;
      case In::kTrailers: step = read_trailers(rest, sink); break;
      case In::kUntilClose:
      case In::kTunnel:
        step.consumed = rest.size();
        sink.on_data(*stream_, rest);
        break;
      case In::kDone: break;
    }
    total.consumed += step.consumed;
    if (step.cause != Cause::kNone) return {total.consumed, step.cause, step.detail};
    if (step.consumed == 0) break;
  }
  return total;
}

FeedResult H1Codec::read_head(std::string_view bytes, CodecSink& sink) {
  head_started_ = true;
  // A head cannot be complete before the end of another line has come.
  if (scanned_ > 0 && scanned_ <= bytes.size() && bytes.size() <= limits_->head &&
      std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_) == nullptr) {
    return {};
  }
  ParsedHead& parsed = scratch_head();
  ParseResult r = role_ == Role::kServer ? parse_request_head(bytes, *limits_, parsed)
                                         : parse_response_head(bytes, *limits_, request_, awaits_upgrade_, parsed);
  if (r.state == ParseState::kIncomplete) {
    scanned_ = static_cast<std::uint32_t>(bytes.size());
    return {};
  }
  if (r.state == ParseState::kRefused) {
    return {0, role_ == Role::kServer ? r.cause : Cause::kUpstreamMalformed, r.detail};
  }
  scanned_ = 0;
  if (role_ == Role::kServer) stream_ = &sink.on_begin(kStream);
  settle_in(sink.arena_of(*stream_), bytes.substr(0, r.size), parsed);
  Head& head = parsed.head;
  bool informational = role_ == Role::kClient && head.status < 200 && head.status != 101;
  if (informational) {
    advance(stream_->in, Step::kInformational);
    if (++informational_ > kMaxInformational) return {0, Cause::kUpstreamMalformed, "too many informational responses"};
    sink.on_head(*stream_, head, false);
    return {r.size, Cause::kNone, nullptr};
  }
  left_ = head.body.length;
  bool empty = head.body.kind == BodyLength::Kind::kNone || (head.body.kind == BodyLength::Kind::kLength && left_ == 0);
  in_ = empty                                          ? In::kDone
        : head.body.kind == BodyLength::Kind::kLength  ? In::kLength
        : head.body.kind == BodyLength::Kind::kChunked ? In::kChunked
                                                       : In::kUntilClose;
  advance(stream_->in, Step::kHead);
  if (head.status == 101) {
    start_tunnel(*stream_);
  } else if (empty) {
    advance(stream_->in, Step::kEnd);
  }
  sink.on_head(*stream_, head, empty && head.status != 101);
  return {r.size, Cause::kNone, nullptr};
}

FeedResult H1Codec::read_chunked(std::string_view bytes, CodecSink& sink) {
  FeedResult out;
  std::string_view data;
  switch (chunked_.next(bytes, out.consumed, data)) {
    case ChunkedReader::Step::kBad:
      out.cause = role_ == Role::kServer ? Cause::kMalformedRequest : Cause::kUpstreamMalformed;
      out.detail = "the chunked coding is malformed";
      break;
    case ChunkedReader::Step::kData: sink.on_data(*stream_, data); break;
    case ChunkedReader::Step::kTrailers: in_ = In::kTrailers; break;
    case ChunkedReader::Step::kMore: break;
  }
  return out;
}

FeedResult H1Codec::read_trailers(std::string_view bytes, CodecSink& sink) {
  ParsedHead& parsed = scratch_head();
  ParseResult r = parse_trailers(bytes, *limits_, parsed);
  if (r.state == ParseState::kIncomplete) return {};
  if (r.state == ParseState::kRefused) {
    return {0, role_ == Role::kServer ? r.cause : Cause::kUpstreamMalformed, r.detail};
  }
  if (parsed.count == 0) {
    message_ended(sink, nullptr);
  } else {
    Arena& arena = sink.arena_of(*stream_);
    std::string_view copy = arena.copy(bytes.substr(0, r.size));
    Fields trailers(arena);
    trailers.adopt(parsed.rows, parsed.count, copy.data() - bytes.data());
    message_ended(sink, &trailers);
  }
  return {r.size, Cause::kNone, nullptr};
}

FeedResult H1Codec::feed_end(CodecSink& sink) {
  switch (in_) {
    case In::kUntilClose:
    case In::kTunnel: message_ended(sink, nullptr); return {};
    case In::kDone: return {};
    case In::kHead:
      if (!head_started_ && role_ == Role::kServer) return {};
      if (role_ == Role::kServer) return {0, Cause::kClientLeft, "the request head was cut short"};
      return {0, Cause::kUpstreamClosed, nullptr};
    default:
      return {0, role_ == Role::kServer ? Cause::kClientLeft : Cause::kUpstreamTruncated, "the body was cut short"};
  }
}

void H1Codec::send_head(WireStream& s, const Head& head, bool end, Output& out) {
  const bool informational = role_ == Role::kServer && head.status < 200 && head.status != 101;
  advance(s.out, informational ? Step::kInformational : Step::kHead);
  if (end) advance(s.out, Step::kEnd);
  out_ = end ? BodyLength::Kind::kNone : head.body.kind;
  if (role_ == Role::kServer) {
    write_response_head(head, out);
  } else {
    write_request_head(head, out);
  }
}

void H1Codec::send_data(WireStream&, std::string_view data, Output& out) {
  if (data.empty()) return;
  if (out_ != BodyLength::Kind::kChunked || out_tunnel_) {
    out.borrow(data);
    return;
  }
  write_chunk_size(data.size(), out);
  out.borrow(data);
  out.borrow("\r\n");
}

void H1Codec::send_end(WireStream& s, const Fields* trailers, Output& out) {
  advance(s.out, Step::kEnd);
  if (out_ == BodyLength::Kind::kChunked && !out_tunnel_) {
    if (trailers == nullptr) {
      out.borrow("0\r\n\r\n");
    } else {
      write_last_chunk(*trailers, out);
    }
  }
  out_ = BodyLength::Kind::kNone;
}

}  // namespace albatross
