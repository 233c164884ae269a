// Moving bytes: transport -> scratch -> codec, and output -> transport.
#include <algorithm>
#include <cstring>

#include "net/proxy_header.h"
#include "session/session.h"

namespace albatross {
namespace {

// `got_bytes`: of the answer. Once there is one, nobody may ask again.
Error broken(Role role, int error, bool got_bytes, bool got_head) {
  if (role == Role::kServer) return {Cause::kClientLeft, Source::kDownstream, RetrySafety::kNever, error, nullptr};
  return {got_head ? Cause::kUpstreamTruncated : Cause::kUpstreamReset, Source::kUpstream,
          got_bytes ? RetrySafety::kNever : RetrySafety::kOnlyIfReused, error, nullptr};
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
  if (const ProxyHeader* h = transport_->proxy_header(); h != nullptr && !h->local) info.set_client(h->source, h->source_port);
  if (role_ == Role::kServer) {
    read_deadline_ = timeouts_->idle == 0 ? 0 : now() + timeouts_->idle;
    arm();
  } else if (role_ == Role::kClient) {
    read_deadline_ = 0;
    arm();
  }
  owner_.on_open(*this);
  return state_ == State::kOpen;
}

bool Session::may_read() const {
  if (state_ != State::kOpen || refused_) return false;
  if (!has_stream()) return role_ == Role::kServer;
  return !codec_.message_done() && stream_.owed_ == 0;
}

// Two reads a turn, then the others have theirs.
void Session::read_some() {
  for (int i = 0; i < 2 && state_ == State::kOpen; ++i) {
    if (!has_stream() && role_ == Role::kClient) {
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
      close(broken(role_, r.error, codec_.head_started(), codec_.head_done()), false);
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
  // A hang-up behind a whole request: the client has left, unless half-close is its way.
  if (role_ == Role::kServer && transport_->hung_up() && !stream_.tunnel_) {
    bool left = transport_->broken() || (!half_close_ && (!has_stream() || codec_.message_done()));
    if (left && (has_stream() || !transport_->can_read())) {
      close({Cause::kClientLeft, Source::kDownstream, RetrySafety::kNever, 0, nullptr}, false);
    }
  } else if (stream_.tunnel_ && transport_->broken() && has_stream() && stream_.in_done_) {
    close(broken(role_, 0, true, true), false);
  }
}

void Session::adapt_read_size(std::size_t asked, std::size_t got) {
  bool drained = stream_.owed_ == 0;
  if (drained && got == asked) {
    read_size_ = std::min(read_size_ * 2, kMaxRead);
  } else if (!drained) {
    read_size_ = std::max(read_size_ / 2, kMinRead);
  }
}

void Session::process(std::string_view bytes) {
  bool was_idle = role_ == Role::kServer && !has_stream() && !codec_.head_started();
  in_feed_ = true;
  FeedResult r = codec_.feed(bytes, *this);
  in_feed_ = false;
  if (state_ != State::kOpen) return;
  if (r.cause != Cause::kNone) {
    if (role_ == Role::kServer) {
      refuse(r.cause, r.detail);
    } else {
      close({r.cause, Source::kUpstream, RetrySafety::kNever, 0, r.detail}, false);
    }
    return;
  }
  std::string_view rest = bytes.substr(r.consumed);
  if (release_pending_) {
    if (!rest.empty()) close_after_ = true;  // bytes after the message: nobody knows whose
    context_.settle();  // what was sent to the client may lie in this buffer; what we sent must be seen to have left
    if (state_ == State::kOpen) finish_release();
    return;
  }
  if (role_ == Role::kClient && codec_.message_done() && !rest.empty()) {
    close_after_ = true;  // bytes after the message: nobody knows whose
  } else if (!rest.empty()) {
    held_.assign(rest);
    needs_more_ = !codec_.message_done() && !codec_.paused();
  }
  if (was_idle && !has_stream() && codec_.head_started() && timeouts_->request_head != 0) {
    read_deadline_ = now() + timeouts_->request_head;  // absolute, from the first byte
    arm();
  }
}

void Session::end_of_input() {
  if (!has_stream()) {
    close({codec_.head_started() ? Cause::kClientLeft : Cause::kNone, Source::kDownstream, RetrySafety::kNever, 0, nullptr}, false);
    return;
  }
  in_feed_ = true;
  FeedResult r = codec_.feed_end(*this);
  in_feed_ = false;
  if (state_ != State::kOpen) return;
  if (r.cause != Cause::kNone) {
    bool unanswered = r.cause == Cause::kUpstreamClosed && !codec_.head_started();
    RetrySafety retry = unanswered ? RetrySafety::kOnlyIfReused : RetrySafety::kNever;
    close({r.cause, role_ == Role::kServer ? Source::kDownstream : Source::kUpstream, retry, 0, r.detail}, false);
    return;
  }
  context_.settle();
  if (state_ == State::kOpen && release_pending_) return finish_release();
  if (has_stream() && stream_.tunnel_) after_output();
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

void Session::settle() {
  dirty_ = false;
  if (state_ == State::kLingering) context_.loop().make_ready(*this);
  if (state_ == State::kClosed) return;
  if (flush() && state_ == State::kOpen) after_output();
}

// Writes what the socket takes. False if the session is gone.
bool Session::flush() {
  if (transport_->pending() > 0) {
    if (transport_->flush().status == IoStatus::kError) write_broken_ = true;
  }
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
    progress = stream_.written_ = true;
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
  if (waiting && (progress || send_deadline_ == 0) && send_timeout_ != 0) {
    send_deadline_ = now() + send_timeout_;
    arm();
  } else if (!waiting) {
    send_deadline_ = 0;
  }
  if (out_.size() + transport_->pending() <= kLowWater) return_credit();
  return state_ != State::kClosed;
}

void Session::return_credit() {
  if (stream_.queued_ == 0) return;
  std::size_t n = stream_.queued_;
  stream_.queued_ = 0;
  if (has_stream()) stream_.events->on_sent(stream_, n);
}

}  // namespace albatross
