#include "session/serial_streams.h"

#include "session/session.h"

namespace albatross {

// ---- streams begin ----

WireStream& SerialStreams::on_begin(StreamId) {
  if (!empty()) return only();
  Stream& s = begin_stream();
  session_.owner_.on_new_stream(session_, s);
  return s;
}

Stream& SerialStreams::open(StreamEvents& events, Method method, bool upgrade) {
  Stream& s = begin_stream();
  s.events = &events;
  codec_->open(s, method, upgrade);
  session_.set_read_deadline(0);
  return s;
}

// ---- input ----

bool SerialStreams::may_read() const {
  if (refused_) return false;
  if (empty()) return server();
  return !codec_->message_done() && only().owed_ == 0;
}

void SerialStreams::on_head(WireStream& w, Head& head, bool end) {
  Stream& s = static_cast<Stream&>(w);
  if (server()) {
    session_.set_read_deadline(0);
  } else if (head.status >= 200) {
    close_after_ = !head.keep_alive;
    peer_keep_alive_ = head.keep_alive_timeout;
  }
  s.events->on_head(s, head, end);
  if (empty() || !session_.is_open()) codec_->pause();
}

void SerialStreams::on_data(WireStream& w, std::string_view data) {
  if (skimming()) skim_left_ -= std::min(skim_left_ - 1, static_cast<std::uint32_t>(data.size()));
  if (static_cast<Stream&>(w).events != nullptr) Streams::on_data(w, data);
  if (empty() || !session_.is_open()) codec_->pause();
}

void SerialStreams::feed(std::string_view bytes) {
  const bool was_idle = server() && empty() && !codec_->head_started();
  feeding_ = true;
  FeedResult r = codec_->feed(bytes, *this);
  feeding_ = false;
  if (session_.is_open()) after_feed(bytes, r, was_idle);
}

void SerialStreams::after_feed(std::string_view bytes, const FeedResult& r, bool was_idle) {
  if (r.cause != Cause::kNone) {
    if (skimming()) return session_.linger();
    if (server()) return refuse(r.cause, r.detail);
    return session_.close(upstream_error(r.cause, RetrySafety::kNever, r.detail));
  }
  std::string_view rest = bytes.substr(r.consumed);
  if (released_ != nullptr) {
    if (!rest.empty()) close_after_ = true;  // bytes after the message belong to no request
    // Views of this buffer may still wait in a client's output, and finish_release() must know what has left.
    session_.context_.settle();
    if (session_.is_open()) finish_release();
    return;
  }
  if (!server() && codec_->message_done() && !rest.empty()) {
    close_after_ = true;
  } else if (!rest.empty()) {
    session_.hold(rest, !codec_->message_done() && !codec_->paused());
  }
  if (skimming()) return after_skim();
  const Nanos patience = session_.settings_->timeouts.request_head;
  if (was_idle && empty() && codec_->head_started() && patience != 0) {
    session_.set_read_deadline(session_.now() + patience);  // absolute, from the first byte of the head
  }
}

void SerialStreams::end_of_input() {
  if (empty()) return session_.close(downstream_error(codec_->head_started() ? Cause::kClientLeft : Cause::kNone));
  feeding_ = true;
  FeedResult r = codec_->feed_end(*this);
  feeding_ = false;
  if (!session_.is_open()) return;
  if (r.cause != Cause::kNone) {
    if (server()) return session_.close(downstream_error(r.cause, r.detail));
    bool unanswered = r.cause == Cause::kUpstreamClosed && !codec_->head_started();
    RetrySafety retry = unanswered ? RetrySafety::kOnlyIfReused : RetrySafety::kNever;
    return session_.close(upstream_error(r.cause, retry, r.detail));
  }
  session_.context_.settle();
  if (!session_.is_open()) return;
  if (released_ != nullptr) return finish_release();
  if (!empty() && only().tunnel) after_output();
}

// After a hang-up that follows a complete request the client has left, unless the listener allows half-closed
// connections.
void SerialStreams::hung_up() {
  const bool tunnel = !empty() && only().tunnel;
  if (tunnel) {
    if (session_.transport_->broken() && only().in_done()) session_.close(broken(0));
    return;
  }
  if (!server()) return;
  const bool whole = empty() || codec_->message_done();
  const bool left = session_.transport_->broken() || (!session_.settings_->half_close && whole);
  if (left && (!empty() || !session_.transport_->can_read())) session_.close(downstream_error(Cause::kClientLeft));
}

Error SerialStreams::broken(int error) const {
  if (server()) return downstream_error(Cause::kClientLeft, nullptr, error);
  const bool answered = codec_->head_started();  // once an answer has begun, the request must not be sent again
  const Cause cause = answered && codec_->head_done() ? Cause::kUpstreamTruncated : Cause::kUpstreamReset;
  return upstream_error(cause, answered ? RetrySafety::kNever : RetrySafety::kOnlyIfReused, nullptr, error);
}

bool SerialStreams::waiting_for_peer(const Stream&) const {
  return session_.may_read() && !session_.transport_->can_read();
}

void SerialStreams::read_timed_out() {
  if (skimming()) return session_.close(Error{});
  if (codec_->head_started() && empty()) return refuse(Cause::kHeadTimeout, nullptr);
  session_.close(downstream_error(Cause::kClientLeft));
}

void SerialStreams::refuse(Cause cause, const char* detail) {
  refused_ = true;
  session_.hold({}, false);
  session_.set_read_deadline(0);
  Stream& s = static_cast<Stream&>(on_begin(1));
  s.events->on_refused(s, cause, detail);
}

// ---- output ----

void SerialStreams::send_head(Stream& s, const Head& head, bool end) {
  if (server() && (head.status >= 200 || head.status == 101)) {
    abort_at_end_ = head.body.kind == BodyLength::Kind::kUntilClose;
    if (!head.keep_alive || abort_at_end_) close_after_ = true;
  }
  codec_->send_head(s, head, end, session_.writer_.out());
  session_.touch();
}

void SerialStreams::consume(Stream& s, std::size_t bytes) {
  s.owed_ -= std::min(bytes, s.owed_);
  if (session_.is_open() && s.owed_ == 0 && !feeding_) session_.context_.loop().make_ready(session_);
}

Nanos SerialStreams::send_timeout() const { return empty() ? session_.settings_->timeouts.send : only().send_timeout_; }

void SerialStreams::return_credit() {
  if (empty() || only().queued_ == 0) return;
  Stream& s = only();
  const std::size_t n = s.queued_;
  s.queued_ = 0;
  s.events->on_sent(s, n);
}

void SerialStreams::after_output() {
  if (empty() || skimming() || session_.writer_.has_output() || !only().out_done()) return;
  if (only().tunnel) {
    session_.writer_.shutdown();
    if (!only().in_done()) return;
  }
  if (server()) finish_answer();
}

// ---- streams end ----

void SerialStreams::finish_answer() {
  Stream& s = only();
  StreamEvents* events = s.events;
  const bool whole = s.in_done() && !refused_;
  if (!whole && !refused_ && !close_after_ && !s.tunnel && !session_.draining_) return skim(s);
  end_stream(s);
  events->on_finished(s);
  if (!session_.is_open()) return;
  if (s.tunnel) return session_.close(Error{});
  if (whole && !session_.draining_ && !close_after_) return next_message();
  if (whole && session_.nothing_to_read()) return session_.close(Error{});
  session_.linger();
}

// The client was promised a persistent connection, but still sends the rest of a request that was answered. A limited
// part of it is read and dropped, for a limited time.
void SerialStreams::skim(Stream& s) {
  std::exchange(s.events, &nobody())->on_finished(s);
  if (!session_.is_open()) return;
  skim_left_ = Session::kMaxDiscard;
  consume(s, s.owed_);
  session_.set_read_deadline(session_.now() + Session::kLinger);
}

void SerialStreams::after_skim() {
  if (!codec_->message_done()) {
    if (skim_left_ == 1) session_.linger();
    return;
  }
  skim_left_ = 0;
  end_stream(only());
  next_message();
}

void SerialStreams::next_message() {
  codec_->next_message();
  close_after_ = abort_at_end_ = false;
  session_.next_message();
}

void SerialStreams::reset(Stream& s) {
  end_stream(s);
  // The peer must see that an answer, or a request body, was cut.
  session_.close(Error{}, server() && abort_at_end_);
}

void SerialStreams::release(Stream& s) {
  released_ = &s;
  s.events = nullptr;
  IntrusiveList<Stream>::remove(s);
  --count_;
  // Inside feed() it is not known yet whether bytes follow the message.
  if (feeding_) return codec_->pause();
  finish_release();
}

void SerialStreams::finish_release() {
  Stream& s = *released_;
  released_ = nullptr;
  session_.context_.bury(s);
  const bool written = !session_.writer_.has_output() && !session_.writer_.broken();
  // The last bytes of a tunnel are still sent; only the peer waits for them.
  if (s.tunnel && s.out_done() && session_.is_open() && !written && !session_.writer_.broken())
    return session_.linger();
  const bool whole = s.in_done() && s.out_done() && written && codec_->message_done();
  if (!whole || close_after_ || s.tunnel || !session_.is_open() || session_.transport_->hung_up()) {
    return session_.close(Error{});
  }
  codec_->next_message();
  session_.idle_since_ = session_.now();
  session_.owner_.on_idle(session_);
}

// Data that waits to be written is still sent, for a limited time; only the peer waits for it.
bool SerialStreams::end_tunnel(Stream& s) {
  s.events = &nobody();
  session_.flush();
  if (!session_.is_open()) return false;
  end_stream(s);
  // A close with unread bytes would make the peer lose our last bytes.
  if (!session_.writer_.broken() && (session_.writer_.has_output() || !session_.nothing_to_read())) {
    session_.linger();
  } else {
    session_.close(Error{});
  }
  return false;
}

// A part of an answer that ends with the connection must not look complete.
void SerialStreams::cut(const Error& error) { session_.close(error, server() && abort_at_end_); }

void SerialStreams::close(const Error& error) {
  Streams::close(error);
  if (released_ != nullptr) session_.context_.bury(*std::exchange(released_, nullptr));
}

}  // namespace albatross
