// What goes: heads, data as far as windows and the output allow, trailers, resets.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "http/h2/codec.h"
#include "http/header_properties.h"

namespace albatross {
namespace {

// Rows for nghttp2, which copies them at once; one set a thread does.
struct Rows {
  nghttp2_nv nv[kMaxFields + 64];
  std::size_t count = 0;
};
Rows& rows() {
  thread_local Rows r;
  return r;
}

}  // namespace

void H2Codec::add(std::string_view name, std::string_view value, bool index) {
  Rows& r = rows();
  if (r.count == std::size(r.nv)) return;
  std::uint8_t flags = index ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX;
  r.nv[r.count++] = {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                     reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                     flags};
}

void H2Codec::add_fields(const Fields& fields, bool tunnel) {
  const unsigned left_out = HeaderProperty::kConnectionSpecific | HeaderProperty::kWrittenByCodec |
                            (tunnel ? HeaderProperty::kHandshakeKey : 0u);
  for (const Field& f : fields) {
    if (f.removed || has_property(f.id, left_out)) continue;
    add(f.name(), f.value(), !has_property(f.id, HeaderProperty::kUnique));
  }
}

void H2Codec::open(WireStream& s, Method request, bool upgrade) {
  s.to_head = request == Method::kHead;
  s.tunnel = upgrade;
}

void H2Codec::send_head(WireStream& s, const Head& head, bool end, Output&) {
  rows().count = 0;
  char number[20];
  auto text = [&number](std::uint64_t n) {
    return std::string_view(number, static_cast<std::size_t>(std::to_chars(number, number + 20, n).ptr - number));
  };
  char length[20];
  auto add_length = [&](std::uint64_t n) {
    add("content-length", {length, static_cast<std::size_t>(std::to_chars(length, length + 20, n).ptr - length)});
  };
  nghttp2_data_provider body{};
  body.source.ptr = &s;
  body.read_callback = read_callback();
  if (role_ == Role::kServer) {
    bool tunnel = head.status == 101;
    add(":status", text(tunnel ? 200 : head.status));
    add_fields(head.fields, tunnel);
    if (head.status < 200 && !tunnel) {
      nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, static_cast<std::int32_t>(s.id), nullptr, rows().nv,
                             rows().count, nullptr);
      return;
    }
    if (head.body.kind == BodyLength::Kind::kLength) {
      add_length(head.body.length);
    } else if (head.declared_length >= 0) {
      add_length(static_cast<std::uint64_t>(head.declared_length));
    }
    s.ends = end;
    nghttp2_submit_response(session_, static_cast<std::int32_t>(s.id), rows().nv, rows().count, end ? nullptr : &body);
    return;
  }
  add(":method", head.upgrade ? "CONNECT" : head.method_text);
  add(":scheme", head.scheme);
  std::string_view path = head.path;
  if (head.has_query) path = head.fields.arena().concat(head.path, std::string_view("?"), head.query);
  add(":path", path, !head.has_query);
  add(":authority", head.authority);
  if (head.upgrade) {
    add(":protocol", "websocket");
    end = false;
  }
  add_fields(head.fields, head.upgrade);
  if (head.body.kind == BodyLength::Kind::kLength) add_length(head.body.length);
  s.ends = end;
  s.id = static_cast<StreamId>(
      std::max(0, nghttp2_submit_request(session_, nullptr, rows().nv, rows().count, end ? nullptr : &body, &s)));
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
  resume(s);
}

void H2Codec::send_end(WireStream& s, const Fields* trailers, Output&) {
  s.ends = true;
  s.has_trailers = trailers != nullptr;
  if (trailers != nullptr) s.trailers = *trailers;
  resume(s);
}

void H2Codec::resume(WireStream& s) {
  if (!s.deferred) return;
  s.deferred = false;
  nghttp2_session_resume_data(session_, static_cast<std::int32_t>(s.id));
}

ssize_t H2Codec::read_data(WireStream& s, std::size_t room, std::uint32_t* flags) {
  std::size_t held = s.held();
  if (held == 0 && !s.ends) {
    s.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  std::size_t n = std::min(held, room);
  if (n > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (n == held && s.ends) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (s.has_trailers) submit_trailers(s, flags);
  }
  return static_cast<ssize_t>(n);
}

void H2Codec::submit_trailers(WireStream& s, std::uint32_t* flags) {
  rows().count = 0;
  add_fields(s.trailers, false);
  if (rows().count == 0) return;
  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  nghttp2_submit_trailer(session_, static_cast<std::int32_t>(s.id), rows().nv, rows().count);
}

// Small data goes with its frame header in one piece; large data as the view that it is.
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

void H2Codec::put_body(WireStream& s, std::size_t size, char* into) {
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

void H2Codec::on_sent(const nghttp2_frame& f) {
  StreamId id = static_cast<StreamId>(f.hd.stream_id);
  switch (f.hd.type) {
    case NGHTTP2_DATA: controls_.give(); [[fallthrough]];
    case NGHTTP2_HEADERS: {
      if ((f.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
      WireStream* s = stream(id);
      if (s == nullptr) return;
      s->end_sent = true;
      if (role_ == Role::kServer && !s->end_seen && !s->tunnel) {
        // The exchange is over; the stream lingers without it.
        nghttp2_session_set_stream_user_data(session_, f.hd.stream_id, nullptr);
        s->closed = true;
        --live_;
        if (lingering_.size() == kMaxLingering) lingering_.front().bytes = 0;
        lingering_.push_back({id, kLinger, now_ + 2 * kSecond});
        sink_->on_closed(*s, Error{});
      }
      return;
    }
    case NGHTTP2_RST_STREAM: {
      for (Opened& o : opened_) {
        if (o.id == id) o.reset_by_us = true;
      }
      std::uint32_t code = f.rst_stream.error_code;
      bool theirs = code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL && code != NGHTTP2_INTERNAL_ERROR;
      // Too many at once may be a client that has not read its limit yet.
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

}  // namespace albatross
