// Sending: heads, data within the windows and the room of the output, trailers, resets.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "http/h2/callbacks.h"
#include "http/h2/codec.h"
#include "http/header_properties.h"

namespace albatross {
namespace {

// Rows for nghttp2, which copies them at once. One set for each thread is enough.
struct Rows {
  nghttp2_nv nv[kMaxFields + 64];
  std::size_t count = 0;

  void add(std::string_view name, std::string_view value, bool index = true) {
    if (count == std::size(nv)) return;
    std::uint8_t flags = index ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX;
    nv[count++] = {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                   reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), flags};
  }
};

Rows& fresh_rows() {
  thread_local Rows r;
  r.count = 0;
  return r;
}

void add_fields(Rows& rows, const Fields& fields, bool tunnel) {
  const unsigned left_out = HeaderProperty::kConnectionSpecific | HeaderProperty::kWrittenByCodec |
                            (tunnel ? HeaderProperty::kHandshakeKey : 0u);
  for (const Field& f : fields) {
    if (f.removed || has_property(f.id, left_out)) continue;
    rows.add(f.name(), f.value(), !has_property(f.id, HeaderProperty::kUnique));
  }
}

// Moves `size` bytes of the data that waits to be sent to `into`.
void put_body(WireStream& s, std::size_t size, char* into) {
  while (size > 0 && !s.waiting.empty()) {
    iovec part;
    s.waiting.peek(&part, 1);
    std::size_t n = std::min(size, part.iov_len);
    std::memcpy(into, part.iov_base, n);
    s.waiting.consume(n);
    into += n;
    size -= n;
  }
  if (size == 0) return;
  std::memcpy(into, s.fresh.data(), size);
  s.fresh.remove_prefix(size);
}

// The stream has something to send again.
void resume(nghttp2_session* session, WireStream& s) {
  if (!s.deferred) return;
  s.deferred = false;
  nghttp2_session_resume_data(session, static_cast<std::int32_t>(s.id));
}

// The decimal text of a number, valid as long as this object lives.
class Decimal {
 public:
  explicit Decimal(std::uint64_t n) : end_(std::to_chars(text_, text_ + sizeof text_, n).ptr) {}
  operator std::string_view() const { return {text_, static_cast<std::size_t>(end_ - text_)}; }

 private:
  char text_[20];
  char* end_;
};

}  // namespace

void H2Codec::open(WireStream& s, Method request, bool upgrade) {
  s.to_head = request == Method::kHead;
  s.tunnel = upgrade;
}

void H2Codec::send_head(WireStream& s, const Head& head, bool end, Output&) {
  role_ == Role::kServer ? submit_response(s, head, end) : submit_request(s, head, end);
}

void H2Codec::submit_response(WireStream& s, const Head& head, bool end) {
  Rows& rows = fresh_rows();
  const bool tunnel = head.status == 101;
  const Decimal status(tunnel ? 200 : head.status);
  rows.add(":status", status);
  add_fields(rows, head.fields, tunnel);
  const auto id = static_cast<std::int32_t>(s.id);
  if (head.status < 200 && !tunnel) {
    advance(s.out, Step::kInformational);
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, rows.nv, rows.count, nullptr);
    return;
  }
  const bool has_length = head.body.kind == BodyLength::Kind::kLength;
  const Decimal length(has_length ? head.body.length : static_cast<std::uint64_t>(head.declared_length));
  if (has_length || head.declared_length >= 0) rows.add("content-length", length);
  advance(s.out, Step::kHead);
  if (end) advance(s.out, Step::kEnd);
  nghttp2_data_provider body{{.ptr = &s}, H2Callbacks::read};
  nghttp2_submit_response(session_, id, rows.nv, rows.count, end ? nullptr : &body);
}

void H2Codec::submit_request(WireStream& s, const Head& head, bool end) {
  Rows& rows = fresh_rows();
  rows.add(":method", head.upgrade ? "CONNECT" : head.method_text);
  rows.add(":scheme", head.scheme);
  std::string_view path = head.path;
  if (head.has_query) path = head.fields.arena().concat(head.path, std::string_view("?"), head.query);
  rows.add(":path", path, !head.has_query);
  rows.add(":authority", head.authority);
  if (head.upgrade) {
    rows.add(":protocol", "websocket");
    end = false;  // the tunnel follows
  }
  add_fields(rows, head.fields, head.upgrade);
  const Decimal length(head.body.length);
  if (head.body.kind == BodyLength::Kind::kLength) rows.add("content-length", length);
  advance(s.out, Step::kHead);
  if (end) advance(s.out, Step::kEnd);
  nghttp2_data_provider body{{.ptr = &s}, H2Callbacks::read};
  const int id = nghttp2_submit_request(session_, nullptr, rows.nv, rows.count, end ? nullptr : &body, &s);
  s.id = static_cast<StreamId>(std::max(0, id));
}

void H2Codec::send_data(WireStream& s, std::string_view data, Output&) {
  if (data.empty()) return;
  if (!s.fresh.empty()) {
    s.waiting.append(s.fresh);
    s.fresh = {};
  }
  s.fresh = data;
  if (!s.listed) {
    s.listed = true;
    fresh_.push_back(&s);
  }
  resume(session_, s);
}

void H2Codec::send_end(WireStream& s, const Fields* trailers, Output&) {
  advance(s.out, Step::kEnd);
  s.has_trailers = trailers != nullptr;
  if (trailers != nullptr) s.trailers = *trailers;
  resume(session_, s);
}

ssize_t H2Codec::read_data(WireStream& s, std::size_t room, std::uint32_t* flags) {
  const std::size_t held = s.held();
  const bool ends = s.out == Direction::kEnded;
  if (held == 0 && !ends) {
    s.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t n = std::min(held, room);
  if (n > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (n < held || !ends) return static_cast<ssize_t>(n);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!s.has_trailers) return static_cast<ssize_t>(n);
  Rows& rows = fresh_rows();
  add_fields(rows, s.trailers, false);
  if (rows.count > 0) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session_, static_cast<std::int32_t>(s.id), rows.nv, rows.count);
  }
  return static_cast<ssize_t>(n);
}

// Small data is copied after its frame header. Large data is borrowed.
int H2Codec::write_data(const std::uint8_t* header, WireStream& s, std::size_t size) {
  constexpr std::size_t kHeader = 9;
  bool copy = !s.waiting.empty() || size < kCopyBelow || (out_->gathering() && size + kHeader <= Block::kSize);
  char* p = out_->reserve(kHeader + (copy ? size : 0));
  std::memcpy(p, header, kHeader);
  if (copy) {
    put_body(s, size, p + kHeader);
    out_->commit(kHeader + size);
  } else {
    out_->commit(kHeader);
    out_->borrow(s.fresh.substr(0, size));
    s.fresh.remove_prefix(size);
  }
  bool full = out_->size() >= kWrite || out_->borrowed_parts() >= Output::kParts - 2;
  return full ? NGHTTP2_ERR_PAUSE : 0;
}

void H2Codec::on_sent(const nghttp2_frame& f) {
  switch (f.hd.type) {
    case NGHTTP2_DATA: controls_.give(); [[fallthrough]];
    case NGHTTP2_HEADERS:
      if ((f.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) response_sent(f.hd.stream_id);
      return;
    case NGHTTP2_RST_STREAM: {
      recent_.reset_by_us(f.hd.stream_id);
      std::uint32_t code = f.rst_stream.error_code;
      bool theirs = code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL && code != NGHTTP2_INTERNAL_ERROR;
      // A client that has not read its limit yet may open too many streams at once.
      Budget& budget = code == NGHTTP2_REFUSED_STREAM ? peer_resets_ : glitches_;
      if (theirs && !budget.take(now_))
        give_up(NGHTTP2_ENHANCE_YOUR_CALM, Cause::kFlood, "too many streams had to be reset");
      return;
    }
    case NGHTTP2_GOAWAY:
      if (f.goaway.error_code == NGHTTP2_NO_ERROR || failure_ != Cause::kNone) return;
      goaway_text_.assign(reinterpret_cast<const char*>(f.goaway.opaque_data), f.goaway.opaque_data_len);
      failure_ = Cause::kProtocolError;
      failure_detail_ = goaway_text_.empty() ? nghttp2_http2_strerror(f.goaway.error_code) : goaway_text_.c_str();
      return;
    default: return;
  }
}

// Our message has been sent completely. A server's exchange is over even if the request is still coming; the stream
// lingers without it.
void H2Codec::response_sent(std::int32_t id) {
  WireStream* s = stream_of(session_, id);
  if (s == nullptr) return;
  s->end_sent = true;
  if (role_ == Role::kClient || s->in == Direction::kEnded || s->tunnel) return;
  nghttp2_session_set_stream_user_data(session_, id, nullptr);
  s->closed = true;
  lingering_.add(id, now_);
  sink_->on_closed(*s, Error{});
}

}  // namespace albatross
