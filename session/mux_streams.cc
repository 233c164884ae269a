#include "session/mux_streams.h"

#include <algorithm>
#include <utility>

#include "session/session.h"

namespace albatross {
namespace {

// How often stalled streams are checked: every eighth of the time that they may stall, but at least 100 ms apart.
Nanos stall_check(Nanos timeout) { return std::max<Nanos>(timeout / 8, 100 * kMilli); }

}  // namespace

MuxStreams::MuxStreams(Session& session, std::unique_ptr<MuxCodec> codec)
    : Streams(session, *codec), codec_(std::move(codec)), greeting_(session.role_ == Role::kClient) {
  heartbeat_.heard(session_.now());
  session_.touch();  // our SETTINGS
}

Capabilities MuxStreams::can() const {
  const bool tunnels = server() || codec_->takes_tunnels();
  return {.multiplexes = true,
          .extended_connect = true,
          .takes_tunnels = tunnels,
          .tells_untouched = true,
          .late_status = true};
}

// ---- streams begin ----

bool MuxStreams::can_open() const { return !greeting_ && count_ < codec_->max_streams() && !session_.draining_; }

Stream& MuxStreams::open(StreamEvents& events, Method method, bool upgrade) {
  Stream& s = begin_stream();
  s.events = &events;
  codec_->open(s, method, upgrade);
  session_.set_read_deadline(0);
  streams_changed();
  return s;
}

WireStream& MuxStreams::on_begin(StreamId) {
  Stream& s = begin_stream();
  session_.owner_.on_new_stream(session_, s);
  streams_changed();
  return s;
}

// A stream was added or removed: acts if it is the first, or was the last.
void MuxStreams::streams_changed() {
  if (!session_.is_open()) return;
  if (!empty()) {
    if (count_ > 1) return;
    if (!head_late_) session_.read_deadline_ = 0;
    if (session_.draining_ && goaway_ == Goaway::kNone) start_goaway();
    if (server() || heartbeat_at_ != 0) return;
    heartbeat_at_ = session_.now() + Heartbeat::kAfter;
    return session_.arm();
  }
  session_.idle_since_ = session_.now();
  if (!server()) {
    heartbeat_at_ = stall_at_ = 0;
    if (codec_->max_streams() > 0) return session_.owner_.on_idle(session_);
    if (!feeding_) session_.close(Error{});
    return;
  }
  if (goaway_ == Goaway::kFinal && !feeding_) return session_.linger();
  const Nanos patience = session_.settings_->timeouts.idle;
  if (goaway_ == Goaway::kNone && !head_late_ && patience != 0) {
    session_.set_read_deadline(session_.idle_since_ + patience);
  }
}

// ---- input ----

void MuxStreams::on_head(WireStream& w, Head& head, bool end) {
  Stream& s = static_cast<Stream&>(w);
  heartbeat_.message();
  s.events->on_head(s, head, end);
}

void MuxStreams::on_data(WireStream& w, std::string_view data) {
  if (static_cast<Stream&>(w).events == nullptr) return;
  heartbeat_.message();
  Streams::on_data(w, data);
}

void MuxStreams::on_over_limit(WireStream& w, Cause cause, const char* detail) {
  Stream& s = static_cast<Stream&>(w);
  s.events->on_refused(s, cause, detail);
}

void MuxStreams::feed(std::string_view bytes) {
  const Nanos now = session_.now();
  heartbeat_.heard(now);
  codec_->set_time(now);
  feeding_ = true;
  const FeedResult r = codec_->feed(bytes, *this);  // failure() returns its cause
  feeding_ = false;
  if (!session_.is_open()) return;
  if (r.consumed < bytes.size()) session_.hold(bytes.substr(r.consumed), false);  // other sessions have their turn
  after_feed();
}

void MuxStreams::after_feed() {
  if (check_failure()) return;
  if (codec_->wants_to_produce() || session_.writer_.has_output()) session_.touch();
  if (greeting_ && codec_->ready()) {
    greeting_ = false;
    session_.set_read_deadline(0);
    session_.owner_.on_open(session_);
    if (!session_.is_open()) return;
  }
  if (server()) update_head_deadline();
  if (server() && codec_->over() && empty()) return session_.linger();
  // After a server's GOAWAY, streams under way finish and none is opened.
  if (!server() && !greeting_ && empty() && codec_->max_streams() == 0) session_.close(Error{});
}

// Sets an absolute deadline for a header block or the preface, or the idle deadline of a connection without streams.
void MuxStreams::update_head_deadline() {
  const bool head = codec_->head_started();
  const std::uint32_t which = codec_->heads_begun();
  if (head == head_late_ && (!head || which == late_head_)) return;
  head_late_ = head;
  late_head_ = which;
  const SessionTimeouts& t = session_.settings_->timeouts;
  if (head) {
    session_.set_read_deadline(t.request_head == 0 ? 0 : session_.now() + t.request_head);
  } else {
    session_.set_read_deadline(!empty() || t.idle == 0 ? 0 : session_.idle_since_ + t.idle);
  }
}

void MuxStreams::end_of_input() {
  if (!server()) return session_.close(upstream_error(Cause::kUpstreamClosed, RetrySafety::kOnlyIfReused));
  session_.close(downstream_error(empty() ? Cause::kNone : Cause::kClientLeft));
}

Error MuxStreams::broken(int error) const {
  if (server()) return downstream_error(Cause::kClientLeft, nullptr, error);
  return upstream_error(Cause::kUpstreamReset, RetrySafety::kOnlyIfReused, nullptr, error);
}

void MuxStreams::consume(Stream& s, std::size_t bytes) {
  const std::size_t n = std::min(bytes, s.owed_);
  s.owed_ -= n;
  if (!session_.is_open()) return;
  codec_->consume(s, n);
  if (codec_->wants_to_produce()) session_.touch();
}

// If the peer broke a rule or asked for too much, sends the GOAWAY and closes. True if the connection is over.
bool MuxStreams::check_failure() {
  FeedResult f = codec_->failure();
  if (f.cause == Cause::kNone) return false;
  Error error = server() ? downstream_error(f.cause, f.detail)
                         : upstream_error(Cause::kUpstreamMalformed,
                                          greeting_ ? RetrySafety::kSafe : RetrySafety::kNever, f.detail);
  // The log has a line for each request. One request is begun if none is open, so that a line gives the reason.
  if (server() && empty()) {
    Stream& s = begin_stream();
    session_.owner_.on_new_stream(session_, s);
  }
  Streams::close(error);
  while (!finishing_.empty()) drop_stream(finishing_.front(), error);
  if (!session_.is_open()) return true;
  codec_->produce(session_.writer_.out(), *this);
  session_.flush();
  if (!session_.is_open()) return true;
  if (server()) {
    session_.linger();
  } else {
    session_.close(error);
  }
  return true;
}

// ---- output ----

void MuxStreams::produce() {
  codec_->produce(session_.writer_.out(), *this);
  if (!std::exchange(put_, false)) return;
  for (Stream& s : finishing_) {
    if (s.ends_at_ == kBeingPut) s.ends_at_ = session_.writer_.out().end();
  }
}

Nanos MuxStreams::send_timeout() const { return session_.settings_->timeouts.send; }

void MuxStreams::send_head(Stream& s, const Head& head, bool end) {
  codec_->send_head(s, head, end, session_.writer_.out());
  session_.touch();
}

// Tells streams how many bytes have left our memory, and notes those whose window is closed.
void MuxStreams::return_credit() {
  stalled_ = false;
  Nanos patience = send_timeout();
  const bool broken = session_.writer_.broken();
  auto credit = [&](Stream& s) {
    const std::size_t left = broken ? 0 : s.held();
    if (s.queued_ > left) {
      const std::size_t n = s.queued_ - left;
      s.queued_ = left;
      s.stalled_since_ = 0;
      s.events->on_sent(s, n);
      if (s.events == nullptr) return;
    }
    if (left > 0 && s.stalled_since_ == 0) s.stalled_since_ = session_.now();
    if (left == 0) return;
    stalled_ = true;
    if (s.send_timeout_ != 0) patience = patience == 0 ? s.send_timeout_ : std::min(patience, s.send_timeout_);
  };
  for (Stream& s : finishing_) credit(s);
  for (Stream& s : list_) credit(s);
  if (!stalled_ || stall_at_ != 0) return;
  patience_ = patience;
  stall_at_ = session_.now() + stall_check(patience);
  session_.arm();
}

void MuxStreams::after_output() {
  if (orphans_ > 0 && !session_.writer_.has_output()) {
    for (Stream& s : list_) {
      if (s.events == &nobody() && (s.end_sent || s.closed)) end_stream(s);
    }
    if (empty()) streams_changed();
  }
  if (!finishing_.empty()) finish_answers();
  if (!session_.is_open() || check_failure()) return;
  if (server() && empty() && !session_.writer_.has_output() && codec_->over()) session_.linger();
}

// A stream is over when the kernel has taken its last byte, whatever its siblings still have to write.
void MuxStreams::finish_answers() {
  const std::uint64_t sent = session_.writer_.sent();
  bool any = false;
  while (!finishing_.empty() && finishing_.front().ends_at_ <= sent) {
    Stream& s = finishing_.front();
    StreamEvents* events = s.events;
    if (s.queued_ > 0) events->on_sent(s, s.queued_);
    end_stream(s);
    events->on_finished(s);
    any = true;
  }
  if (any && session_.is_open() && empty()) streams_changed();
}

// ---- streams end ----

void MuxStreams::end_stream(Stream& s) {
  if (s.events == &nobody()) --orphans_;
  codec_->abandon(s);
  Streams::end_stream(s);
}

Error MuxStreams::as_seen(const Stream& s, const Error& error) const {
  Error e = Streams::as_seen(s, error);
  if (server() || !s.written_ || s.heads == 0) return e;
  e.retry = RetrySafety::kNever;
  if (e.source == Source::kUpstream && !s.in_done()) e.cause = Cause::kUpstreamTruncated;
  return e;
}

// A stream has left the wire.
void MuxStreams::on_closed(WireStream& w, const Error& error) {
  Stream& s = static_cast<Stream&>(w);
  if (s.events == nullptr) return;
  session_.touch();
  if (error.cause == Cause::kNone) {
    // A client's stream: its user has seen both directions end and releases it.
    if (!server() || s.finishing_) return;
    s.finishing_ = true;
    // While producing, nghttp2 reports a frame before it hands over its bytes.
    s.ends_at_ = feeding_ ? session_.writer_.out().end() : kBeingPut;
    put_ = put_ || !feeding_;
    IntrusiveList<Stream>::remove(s);
    finishing_.push_back(s);
    return;
  }
  StreamEvents* events = s.events;
  end_stream(s);
  events->on_reset(s, error);
  streams_changed();
}

void MuxStreams::reset(Stream& s) {
  end_stream(s);
  session_.touch();
  streams_changed();
}

bool MuxStreams::end_tunnel(Stream& s) {
  if (s.out_done()) {
    reset(s);
    return false;
  }
  s.tunnel = false;
  send_end(s, nullptr);
  if (!s.in_done()) advance(s.in, Step::kReset);  // data that still comes is dropped
  if (server()) return true;
  if (!session_.writer_.broken()) codec_->own();  // nobody keeps its bytes valid until settle time
  s.events = &nobody();
  ++orphans_;
  return false;
}

void MuxStreams::cut(const Error& error) {
  Streams::close(error);
  while (!finishing_.empty()) drop_stream(finishing_.front(), error);
  if (!session_.is_open()) return;
  say_goodbye();
  if (session_.is_open()) session_.linger();
}

void MuxStreams::say_goodbye() {
  if (goaway_ == Goaway::kFinal || feeding_) return;
  goaway_ = Goaway::kFinal;
  codec_->finish_goaway();
  session_.flush();
}

void MuxStreams::close(const Error& error) {
  codec_->stop();
  Streams::close(error);
  while (!finishing_.empty()) drop_stream(finishing_.front(), error);
}

// ---- GOAWAY, PING, closed windows ----

void MuxStreams::start_goaway() {
  if (goaway_ != Goaway::kNone) return;
  goaway_ = Goaway::kAnnounced;
  codec_->announce_goaway();
  goaway_at_ = session_.now() + kGoawayGap;
  session_.set_read_deadline(0);
  session_.touch();
}

void MuxStreams::on_deadline(Nanos at) {
  const auto due = [at](Nanos& deadline) {
    const bool is_due = deadline != 0 && at >= deadline;
    if (is_due) deadline = 0;
    return is_due;
  };
  if (due(goaway_at_)) {
    goaway_ = Goaway::kFinal;
    codec_->finish_goaway();
    if (!session_.flush()) return;
    if (empty()) return session_.linger();
  }
  if (due(stall_at_)) {
    reset_stalled(at);
    if (!session_.is_open()) return;
    if (stalled_ && stall_at_ == 0) stall_at_ = at + stall_check(patience_);
  }
  if (due(heartbeat_at_)) check_server(at);
}

void MuxStreams::read_timed_out() {
  if (head_late_ && codec_->head_started()) {
    say_goodbye();
    return session_.close(downstream_error(Cause::kHeadTimeout));
  }
  session_.draining_ = true;
  start_goaway();
}

// Resets streams whose peer has opened no window for the send timeout. Their siblings go on.
void MuxStreams::reset_stalled(Nanos at) {
  const Error error =
      server() ? downstream_error(Cause::kSendTimeout) : upstream_error(Cause::kResponseTimeout, RetrySafety::kNever);
  for (Stream& s : list_) {
    if (s.stalled_since_ == 0 || s.send_timeout_ == 0 || at - s.stalled_since_ < s.send_timeout_) continue;
    StreamEvents* events = s.events;
    end_stream(s);
    session_.touch();
    events->on_reset(s, error);
    if (!session_.is_open()) return;
  }
  streams_changed();
}

// Ends the connection if the server is not alive.
void MuxStreams::check_server(Nanos at) {
  if (empty()) return;
  switch (heartbeat_.check(at)) {
    case Heartbeat::Verdict::kDead:
      return session_.close(upstream_error(Cause::kUpstreamReset, RetrySafety::kOnlyIfReused, "no answer to a PING"),
                            true);
    case Heartbeat::Verdict::kPing:
      codec_->ping();
      session_.touch();
      break;
    case Heartbeat::Verdict::kWait: break;
  }
  heartbeat_at_ = heartbeat_.next();
}

}  // namespace albatross
