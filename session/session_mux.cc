// What only a connection of many streams needs: their ends, GOAWAY, PING, windows that stay closed.
#include <algorithm>

#include "session/session.h"

namespace albatross {

void Session::after_mux_feed() {
  if (check_failure()) return;
  if (codec_->wants_to_produce() || !out_.empty()) touch();
  if (greeting_ && codec_->ready()) {
    greeting_ = false;
    read_deadline_ = 0;
    arm();
    owner_.on_open(*this);
    if (state_ != State::kOpen) return;
  }
  if (role_ == Role::kServer) update_head_deadline();
  if (role_ == Role::kServer && codec_->over() && !has_stream()) return linger();
  // A server's GOAWAY: what runs is finished, and nothing more is opened.
  if (role_ == Role::kClient && !greeting_ && !has_stream() && codec_->max_streams() == 0) close(Error{}, false);
}

bool Session::takes_tunnels() const { return mux_ && static_cast<const H2Codec&>(*codec_).takes_tunnels(); }

// A header block, and the preface, have an absolute time; so has a connection without streams.
void Session::update_head_deadline() {
  bool head = codec_->head_started();
  std::uint32_t which = codec_->heads_begun();
  if (head == head_late_ && (!head || which == late_head_)) return;
  head_late_ = head;
  late_head_ = which;
  if (head) {
    read_deadline_ = timeouts_->request_head == 0 ? 0 : now() + timeouts_->request_head;
  } else {
    read_deadline_ = has_stream() || timeouts_->idle == 0 ? 0 : idle_since_ + timeouts_->idle;
  }
  arm();
}

// The first stream, or the last, has come or gone.
void Session::streams_changed() {
  if (state_ != State::kOpen) return;
  if (has_stream()) {
    if (count_ > 1) return;
    if (!head_late_) read_deadline_ = 0;
    if (draining_ && goaway_ == Goaway::kNone) start_goaway();
    if (role_ == Role::kClient && extra_deadline_ == 0) {
      extra_deadline_ = now() + kPingAfter;
      arm();
    }
    return;
  }
  idle_since_ = now();
  if (role_ == Role::kClient) {
    extra_deadline_ = 0;
    if (codec_->max_streams() == 0) {
      if (!in_feed_) close(Error{}, false);
      return;
    }
    return owner_.on_idle(*this);
  }
  if (goaway_ == Goaway::kFinal && !in_feed_) return linger();
  if (goaway_ == Goaway::kNone && !head_late_ && timeouts_->idle != 0) {
    read_deadline_ = idle_since_ + timeouts_->idle;
    arm();
  }
}

void Session::on_over_limit(WireStream& w, Cause cause, const char* detail) {
  Stream& s = static_cast<Stream&>(w);
  s.events->on_refused(s, cause, detail);
}

// A stream has left the wire. A server's answer is only over when its bytes have left too.
void Session::on_closed(WireStream& w, const Error& error) {
  Stream& s = static_cast<Stream&>(w);
  if (s.events == nullptr) return;
  touch();
  if (error.cause == Cause::kNone) {
    // A client's: whoever uses it has heard both ends and lets go of it.
    if (role_ == Role::kClient) return;
    s.finished_ = true;
    ++finished_;
    return;
  }
  StreamEvents* events = s.events;
  end_stream(s);
  events->on_reset(s, error);
  streams_changed();
}

void Session::finish_mux_streams() {
  if (finished_ > 0 && out_.empty() && transport_->pending() == 0) {
    for (Stream *s = streams_, *next; s != nullptr; s = next) {
      next = s->next_;
      if (!s->finished_ || (role_ == Role::kClient && !s->end_sent && !s->closed)) continue;
      if (role_ == Role::kClient) codec_->abandon(*s);
      StreamEvents* events = s->events;
      if (s->queued_ > 0) events->on_sent(*s, s->queued_);
      end_stream(*s);
      events->on_finished(*s);
    }
    if (state_ == State::kOpen && !has_stream()) streams_changed();
  }
  if (state_ != State::kOpen || check_failure()) return;
  if (role_ == Role::kServer && !has_stream() && out_.empty() && transport_->pending() == 0 && codec_->over()) linger();
}

// The connection broke a rule, or asked for too much: its GOAWAY leaves, then it does. True if it is over.
bool Session::check_failure() {
  FeedResult f = codec_->failure();
  if (f.cause == Cause::kNone) return false;
  bool server = role_ == Role::kServer;
  Error error{server ? f.cause : Cause::kUpstreamMalformed, server ? Source::kDownstream : Source::kUpstream,
              greeting_ ? RetrySafety::kSafe : RetrySafety::kNever, 0, f.detail};
  // The log speaks of requests: one line says why, even if none was open.
  if (server && !has_stream()) {
    Stream& s = begin_stream();
    owner_.on_new_stream(*this, s);
  }
  while (streams_ != nullptr) drop_stream(*streams_, error);
  if (state_ != State::kOpen) return true;
  codec_->produce(out_, *this);
  if (server) {
    flush();
    if (state_ == State::kOpen) linger();
  } else {
    flush();
    close(error, false);
  }
  return true;
}

// ---- GOAWAY, PING, closed windows ----

void Session::start_goaway() {
  if (goaway_ != Goaway::kNone) return;
  goaway_ = Goaway::kAnnounced;
  codec_->announce_goaway();
  extra_deadline_ = now() + kGoawayGap;
  read_deadline_ = 0;
  arm();
  touch();
}

void Session::mux_timer(Nanos at) {
  extra_deadline_ = 0;
  if (goaway_ == Goaway::kAnnounced) {
    goaway_ = Goaway::kFinal;
    codec_->finish_goaway();
    touch();
    context_.finish_turn();
    if (state_ == State::kOpen && !has_stream()) return linger();
  }
  if (state_ != State::kOpen) return;
  reset_stalled(at);
  if (state_ != State::kOpen) return;
  if (role_ == Role::kClient && !check_server(at)) return;
  if (stalled_ && extra_deadline_ == 0) extra_deadline_ = at + stall_check();
  context_.finish_turn();
}

// A stream whose peer opens no window for the send timeout is reset; its siblings go on.
void Session::reset_stalled(Nanos at) {
  for (Stream *s = streams_, *next; s != nullptr; s = next) {
    next = s->next_;
    if (s->stalled_since_ == 0 || s->send_timeout_ == 0 || at - s->stalled_since_ < s->send_timeout_) continue;
    bool server = role_ == Role::kServer;
    StreamEvents* events = s->events;
    end_stream(*s);
    codec_->abandon(*s);
    touch();
    events->on_reset(*s, {server ? Cause::kSendTimeout : Cause::kResponseTimeout,
                          server ? Source::kDownstream : Source::kUpstream, RetrySafety::kNever, 0, nullptr});
    if (state_ != State::kOpen) return;
  }
  streams_changed();
}

// Does a silent server still live? False if it does not.
bool Session::check_server(Nanos at) {
  if (!has_stream()) return true;
  if (pinged_ && last_heard_ + kPingPatience <= at && last_heard_ < ping_at_) {
    close({Cause::kUpstreamReset, Source::kUpstream, RetrySafety::kOnlyIfReused, 0, "no answer to a PING"}, true);
    return false;
  }
  if (pinged_ && last_heard_ >= ping_at_) pinged_ = false;
  Nanos due = (quiet_ ? ping_at_ + kPingAgain : last_heard_ + kPingAfter);
  if (!pinged_ && at >= due) {
    pinged_ = quiet_ = true;
    ping_at_ = at;
    codec_->ping();
    touch();
  }
  extra_deadline_ = pinged_ ? ping_at_ + kPingPatience : due;
  return true;
}

}  // namespace albatross
