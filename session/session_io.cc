// Moving bytes: transport -> scratch -> codec, and output -> transport.
#include <algorithm>
#include <cstring>

#include "http/h1/codec.h"
#include "net/proxy_header.h"
#include "session/session.h"
#include "tls/tls_info.h"

namespace albatross {
namespace {

// `got_bytes`: of the answer. Once there is one, nobody may ask again.
Error broken(Role role, int error, bool got_bytes, bool got_head) {
  if (role == Role::kServer) return {Cause::kClientLeft, Source::kDownstream, RetrySafety::kNever, error, nullptr};
  return {got_head ? Cause::kUpstreamTruncated : Cause::kUpstreamReset, Source::kUpstream,
          got_bytes ? RetrySafety::kNever : RetrySafety::kOnlyIfReused, error, nullptr};
}

// A first line that ends in a version; without one yet, only the preface can be told.
bool opens_http1(std::string_view first) {
  if (first.substr(0, kH2Preface.size()) == kH2Preface) return false;
  std::size_t end = first.find("\r\n");
  return end == std::string_view::npos || first.substr(0, end).find(" HTTP/") != std::string_view::npos;
}

Cause connect_cause(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ECONNRESET: return Cause::kConnectRefused;
    case ETIMEDOUT: return Cause::kConnectTimeout;
    case 0: return Cause::kUpstreamTls;
    default: return Cause::kConnectFailed;
  }
}

}  // namespace

bool Session::finish_opening() {
  if (info.secure && !context_.take_handshake()) {
    context_.loop().make_ready(*this);  // others first: a handshake costs as much as twenty requests
    return false;
  }
  IoResult r = transport_->open();
  if (r.status == IoStatus::kAgain) return false;
  if (r.status != IoStatus::kOk) {
    if (role_ == Role::kServer) {
      close({Cause::kHandshakeFailed, Source::kDownstream, RetrySafety::kNever, r.error, nullptr}, false);
    } else {
      close({connect_cause(r.error), Source::kUpstream, RetrySafety::kSafe, r.error, nullptr}, false);
    }
    return false;
  }
  state_ = State::kOpen;
  if (const ProxyHeader* h = transport_->proxy_header(); h != nullptr && !h->local)
    info.set_client(h->source, h->source_port);
  idle_since_ = last_heard_ = now();
  if (!choose_codec({})) return false;
  if (role_ == Role::kServer) {
    read_deadline_ = timeouts_->idle == 0 ? 0 : now() + timeouts_->idle;
    arm();
  } else if (!greeting_) {
    read_deadline_ = 0;
    arm();
  }
  if (!greeting_) owner_.on_open(*this);
  return state_ == State::kOpen;
}

// What ALPN or the configuration says; on a plain connection that may be either, the first bytes. False if it is gone.
bool Session::choose_codec(std::string_view first) {
  const TlsInfo* tls = transport_->tls();
  bool h2 = tls != nullptr ? tls->alpn == "h2" : wire_ == Wire::kHttp2;
  if (role_ == Role::kClient && wire_ == Wire::kHttp2 && !h2) {
    close({Cause::kUpstreamTls, Source::kUpstream, RetrySafety::kSafe, 0, "the server does not speak h2"}, false);
    return false;
  }
  if (tls == nullptr && wire_ == Wire::kEither && first.size() < kH2Preface.size() &&
      kH2Preface.substr(0, first.size()) == first) {
    return true;  // not known yet
  }
  h2 = h2 || (tls == nullptr && wire_ == Wire::kEither && !opens_http1(first));
  if (!h2) {
    use(std::make_unique<H1Codec>(role_, *limits_));
    return true;
  }
  use(std::make_unique<H2Codec>(role_, *limits_, *h2_));
  mux_ = true;
  greeting_ = role_ == Role::kClient;
  touch();
  return true;
}

void Session::use(std::unique_ptr<Codec> codec) { codec_ = std::move(codec); }

bool Session::may_read() const {
  if (state_ != State::kOpen || refused_) return false;
  if (mux_) return !codec_->clogged();
  if (!has_stream()) return role_ == Role::kServer;
  return !codec_->message_done() && streams_->owed_ == 0;
}

// Two reads a turn, then the others have theirs.
void Session::read_some() {
  for (int i = 0; i < 2 && state_ == State::kOpen; ++i) {
    if (!has_stream() && role_ == Role::kClient && !mux_) {
      // Bytes or an end on an idle connection: it is of no more use.
      if (transport_->can_read() || transport_->hung_up()) close(Error{}, false);
      return;
    }
    if (!may_read()) break;
    if (!held_.empty() && !needs_more_) {
      std::string bytes = std::move(held_);
      held_.clear();
      process(bytes);
      context_.settle();
      continue;
    }
    if (!transport_->can_read()) break;
    context_.settle();
    char* buffer = context_.loop().read_scratch();
    std::size_t have = std::min(held_.size(), Loop::kScratch - kMinRead);
    std::memcpy(buffer, held_.data(), have);
    std::size_t ask = std::min<std::size_t>(read_size_, Loop::kScratch - have);
    IoResult r = transport_->read(buffer + have, ask);
    if (r.status == IoStatus::kAgain) break;
    if (r.status == IoStatus::kEnd) {
      end_of_input();
      break;
    }
    if (r.status == IoStatus::kError) {
      bool got_bytes = !mux_ && codec_ && codec_->head_started();
      close(broken(role_, r.error, got_bytes, got_bytes && codec_->head_done()), false);
      return;
    }
    if (held_.capacity() > 0) std::string().swap(held_);
    process({buffer, have + r.bytes});
    context_.settle();
    adapt_read_size(ask, r.bytes);
  }
  if (state_ != State::kOpen) return;
  if (may_read() && (transport_->can_read() || (!held_.empty() && !needs_more_))) {
    context_.loop().make_ready(*this);
    return;
  }
  if (mux_) return;
  // A hang-up behind a whole request: the client has left, unless half-close is its way.
  bool tunnel = has_stream() && streams_->tunnel_;
  if (role_ == Role::kServer && transport_->hung_up() && !tunnel) {
    bool left = transport_->broken() || (!half_close_ && (!has_stream() || codec_->message_done()));
    if (left && (has_stream() || !transport_->can_read())) {
      close({Cause::kClientLeft, Source::kDownstream, RetrySafety::kNever, 0, nullptr}, false);
    }
  } else if (tunnel && transport_->broken() && streams_->in_done_) {
    close(broken(role_, 0, true, true), false);
  }
}

void Session::adapt_read_size(std::size_t asked, std::size_t got) {
  bool drained = mux_ || !has_stream() || streams_->owed_ == 0;
  if (drained && got == asked) {
    read_size_ = std::min(read_size_ * 2, kMaxRead);
  } else if (!drained) {
    read_size_ = std::max(read_size_ / 2, kMinRead);
  }
}

void Session::process(std::string_view bytes) {
  if (!codec_) {
    if (!choose_codec(bytes)) return;
    if (!codec_) {
      held_.assign(bytes);
      needs_more_ = true;
      if (timeouts_->request_head != 0 && !head_late_) {
        head_late_ = true;
        read_deadline_ = now() + timeouts_->request_head;
        arm();
      }
      return;
    }
    head_late_ = false;
  }
  last_heard_ = now();
  bool was_idle = !mux_ && role_ == Role::kServer && !has_stream() && !codec_->head_started();
  if (mux_) codec_->set_time(now());
  in_feed_ = true;
  FeedResult r = codec_->feed(bytes, *this);
  in_feed_ = false;
  if (state_ != State::kOpen) return;
  if (mux_) {
    after_mux_feed();
  } else {
    after_serial_feed(bytes, r, was_idle);
  }
}

void Session::after_serial_feed(std::string_view bytes, const FeedResult& r, bool was_idle) {
  if (r.cause != Cause::kNone) {
    if (role_ == Role::kServer) {
      refuse(r.cause, r.detail);
    } else {
      close({r.cause, Source::kUpstream, RetrySafety::kNever, 0, r.detail}, false);
    }
    return;
  }
  std::string_view rest = bytes.substr(r.consumed);
  if (ended_ != nullptr) {
    if (!rest.empty()) close_after_ = true;  // bytes after the message: nobody knows whose
    context_.settle();  // what was sent to the client may lie in this buffer; what we sent must be seen to have left
    if (state_ == State::kOpen) finish_release();
    return;
  }
  if (role_ == Role::kClient && codec_->message_done() && !rest.empty()) {
    close_after_ = true;  // bytes after the message: nobody knows whose
  } else if (!rest.empty()) {
    held_.assign(rest);
    needs_more_ = !codec_->message_done() && !codec_->paused();
  }
  if (was_idle && !has_stream() && codec_->head_started() && timeouts_->request_head != 0) {
    read_deadline_ = now() + timeouts_->request_head;  // absolute, from the first byte
    arm();
  }
}

void Session::end_of_input() {
  if (mux_) {
    Cause cause = role_ == Role::kServer ? Cause::kClientLeft : Cause::kUpstreamClosed;
    if (role_ == Role::kServer && !has_stream()) cause = Cause::kNone;
    return close({cause, role_ == Role::kServer ? Source::kDownstream : Source::kUpstream,
                  role_ == Role::kServer ? RetrySafety::kNever : RetrySafety::kOnlyIfReused, 0, nullptr},
                 false);
  }
  if (!has_stream()) {
    close({codec_ && codec_->head_started() ? Cause::kClientLeft : Cause::kNone, Source::kDownstream,
           RetrySafety::kNever, 0, nullptr},
          false);
    return;
  }
  in_feed_ = true;
  FeedResult r = codec_->feed_end(*this);
  in_feed_ = false;
  if (state_ != State::kOpen) return;
  if (r.cause != Cause::kNone) {
    bool unanswered = r.cause == Cause::kUpstreamClosed && !codec_->head_started();
    RetrySafety retry = unanswered ? RetrySafety::kOnlyIfReused : RetrySafety::kNever;
    close({r.cause, role_ == Role::kServer ? Source::kDownstream : Source::kUpstream, retry, 0, r.detail}, false);
    return;
  }
  context_.settle();
  if (state_ == State::kOpen && ended_ != nullptr) return finish_release();
  if (has_stream() && streams_->tunnel_) after_output();
}

void Session::discard_input() {
  if (!out_.empty() || transport_->pending() > 0) {
    if (!flush()) return close(Error{}, false);
    if (!out_.empty() || transport_->pending() > 0) return;
  }
  if (!shut_) {
    shut_ = true;
    transport_->shutdown_write();
  }
  char* buffer = context_.loop().read_scratch();
  context_.settle();
  while (transport_->can_read()) {
    IoResult r = transport_->read(buffer, kMinRead);
    if (r.status == IoStatus::kAgain) return;
    discarded_ += static_cast<std::uint32_t>(r.bytes);
    if (r.status != IoStatus::kOk || discarded_ > kMaxDiscard) return close(Error{}, false);
  }
  if (transport_->hung_up()) close(Error{}, false);
}

bool Session::gather() {
  bool small = mux_ && !in_feed_ && state_ == State::kOpen && codec_->fresh_bytes() < kGatherBelow &&
               out_.size() < kGatherAtMost && transport_->pending() == 0;
  if (!small) {
    settle();
    return false;
  }
  dirty_ = false;
  out_.set_gathering(true);
  codec_->produce(out_, *this);
  out_.set_gathering(false);
  codec_->own();
  bool first = !gathered_;
  gathered_ = true;
  return first;
}

void Session::settle() {
  dirty_ = false;
  if (state_ == State::kLingering) context_.loop().make_ready(*this);
  if (state_ == State::kClosed) return;
  if (mux_ && in_feed_) {
    // Frames are made after the feed; the views of this moment must not be lost.
    codec_->own();
    out_.own_all();
    return;
  }
  if (flush() && state_ == State::kOpen) after_output();
}

// Writes what the socket takes; true if it took any.
bool Session::write_out() {
  bool progress = false;
  while (!write_broken_ && !out_.empty() && transport_->can_write()) {
    iovec parts[24];
    int n = out_.peek(parts, 24);
    IoResult r = transport_->write(parts, n);
    if (r.status == IoStatus::kError) {
      write_broken_ = true;
      break;
    }
    if (r.bytes == 0) break;
    out_.consume(r.bytes);
    progress = true;
  }
  return progress;
}

// Makes and writes what can go. False if the session is gone.
bool Session::flush() {
  if (transport_->pending() > 0) {
    if (transport_->flush().status == IoStatus::kError) write_broken_ = true;
  }
  bool progress = write_out();
  if (mux_ && !in_feed_) {
    // A write's worth at a time, so that what the socket does not take stays with its stream.
    while (!write_broken_ && out_.empty() && transport_->pending() == 0 && codec_->wants_to_produce()) {
      codec_->produce(out_, *this);
      if (out_.empty() || !write_out()) break;
      progress = true;
    }
  }
  if (progress && role_ == Role::kClient) {
    for (Stream* s = streams_; s != nullptr; s = s->next_) s->written_ = true;
  }
  if (write_broken_) {
    out_.clear();
    // The client is gone. A server may have answered before it closed: reading will tell.
    if (state_ == State::kLingering) return false;
    if (role_ == Role::kServer) {
      close({Cause::kClientLeft, Source::kDownstream, RetrySafety::kNever, 0, nullptr}, false);
      return false;
    }
    return_credit();
    context_.loop().make_ready(*this);
    return true;
  }
  bool waiting = !out_.empty() || transport_->pending() > 0;
  if (out_.has_borrowed()) out_.own_all();
  if (mux_ && !in_feed_) codec_->own();
  Nanos timeout = has_stream() && !mux_ ? streams_->send_timeout_ : timeouts_->send;
  if (waiting && (progress || send_deadline_ == 0) && timeout != 0) {
    send_deadline_ = now() + timeout;
    arm();
  } else if (!waiting) {
    send_deadline_ = 0;
  }
  if (out_.size() + transport_->pending() <= kLowWater) return_credit();
  return state_ != State::kClosed;
}

// Tells streams what has left our memory; notes those whose window is closed.
void Session::return_credit() {
  stalled_ = false;
  for (Stream *s = streams_, *next; s != nullptr; s = next) {
    next = s->next_;
    std::size_t left = mux_ && !write_broken_ ? s->held() : 0;
    if (s->queued_ > left) {
      std::size_t n = s->queued_ - left;
      s->queued_ = left;
      s->stalled_since_ = 0;
      s->events->on_sent(*s, n);
      if (s->events == nullptr) continue;
    }
    if (left > 0 && s->stalled_since_ == 0) s->stalled_since_ = now();
    stalled_ = stalled_ || left > 0;
  }
  if (stalled_ && extra_deadline_ == 0) {
    extra_deadline_ = now() + stall_check();
    arm();
  }
}

}  // namespace albatross
