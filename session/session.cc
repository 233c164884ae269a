// The life of a connection: its streams come, are heard and go. What a stream is told is in stream.cc, bytes are moved
// in session_io.cc, what only many streams need is in session_mux.cc.
#include "session/session.h"

#include <algorithm>

namespace albatross {
namespace {

Error client_left() { return {Cause::kClientLeft, Source::kDownstream, RetrySafety::kNever, 0, nullptr}; }
const H2Settings kDefaultH2{};

}  // namespace

Session::Session(SessionContext& context, SessionOwner& owner, Role role, const HeadLimits& limits,
                 const SessionTimeouts& timeouts)
    : context_(context),
      owner_(owner),
      limits_(&limits),
      timeouts_(&timeouts),
      h2_(&kDefaultH2),
      out_(context.loop().blocks(), context.scratch()),
      role_(role) {}

Session::~Session() {
  if (dirty_ || gathered_) context_.forget(*this);
}

void Session::start(std::unique_ptr<Transport> transport, Nanos open_timeout) {
  transport_ = std::move(transport);
  opened_at_ = now();
  read_deadline_ = open_timeout == 0 ? 0 : now() + open_timeout;
  arm();
}

void Session::on_ready() {
  context_.recycle_streams();
  if (state_ == State::kClosed) return;
  if (state_ == State::kOpening && !finish_opening()) return;
  if (state_ == State::kLingering) {
    discard_input();
    return;
  }
  if (!gathered_ && (!out_.empty() || transport_->pending() > 0 || (mux_ && codec_->wants_to_produce()))) {
    if (!flush()) return;
    after_output();
    if (state_ != State::kOpen) return;
  }
  read_some();
  context_.settle();
}

void Session::touch() {
  if (dirty_) return;
  dirty_ = true;
  context_.mark_dirty(*this);
}

// ---- streams ----

Stream& Session::begin_stream() {
  Stream& s = context_.take_stream();
  s.begin(*this, timeouts_->send);
  s.prev_ = nullptr;
  s.next_ = streams_;
  if (streams_ != nullptr) streams_->prev_ = &s;
  streams_ = &s;
  ++count_;
  ++requests_;
  return s;
}

// The stream has no part in anything any more; it stays readable for this turn.
void Session::end_stream(Stream& s) {
  s.events = nullptr;
  (s.prev_ != nullptr ? s.prev_->next_ : streams_) = s.next_;
  if (s.next_ != nullptr) s.next_->prev_ = s.prev_;
  if (s.finished_) --finished_;
  --count_;
  context_.bury(s);
}

bool Session::can_open() const {
  if (state_ != State::kOpen || greeting_ || write_broken_) return false;
  if (mux_) return count_ < codec_->max_streams() && !draining_;
  return !has_stream() && ended_ == nullptr;
}

Stream& Session::open_stream(StreamEvents& events, Method method, bool upgrade) {
  Stream& s = begin_stream();
  s.events = &events;
  codec_->open(s, method, upgrade);
  read_deadline_ = 0;
  if (mux_) streams_changed();
  return s;
}

bool Session::reusable() const {
  return state_ == State::kOpen && !has_stream() && !transport_->can_read() && !transport_->hung_up() && held_.empty();
}

WireStream& Session::on_begin(StreamId) {
  if (!mux_ && has_stream()) return *streams_;
  Stream& s = begin_stream();
  owner_.on_new_stream(*this, s);
  if (mux_) streams_changed();
  return s;
}

Arena& Session::arena_of(WireStream& s) { return static_cast<Stream&>(s).events->arena(); }

void Session::on_head(WireStream& w, Head& head, bool end) {
  Stream& s = static_cast<Stream&>(w);
  if (!mux_ && role_ == Role::kServer) {
    read_deadline_ = 0;
    arm();
  } else if (head.status >= 200) {
    if (!mux_) close_after_ = !head.keep_alive;
    peer_keep_alive_ = head.keep_alive_timeout;
  }
  quiet_ = false;
  s.answered_ = true;
  if (end) s.in_done_ = true;
  s.events->on_head(s, head, end);
  if (!mux_ && (!has_stream() || state_ != State::kOpen)) codec_->pause();
}

void Session::on_data(WireStream& w, std::string_view data) {
  Stream& s = static_cast<Stream&>(w);
  if (s.events == nullptr) {
    if (!mux_) codec_->pause();
    return;
  }
  quiet_ = false;
  s.owed_ += data.size();
  s.events->on_data(s, data);
  if (!mux_ && (!has_stream() || state_ != State::kOpen)) codec_->pause();
}

void Session::on_end(WireStream& w, Fields* trailers) {
  Stream& s = static_cast<Stream&>(w);
  if (s.events == nullptr) return;
  s.in_done_ = true;
  s.events->on_end(s, trailers);
}

void Session::reset(Stream& s) {
  end_stream(s);
  if (mux_) {
    codec_->abandon(s);
    touch();
    return streams_changed();
  }
  // An answer that was begun must look cut; so must a request body.
  close(Error{}, role_ == Role::kServer && abort_at_end_);
}

void Session::release(Stream& s) {
  if (mux_) return reset(s);  // what has not ended is reset, and only that
  ended_ = &s;
  s.events = nullptr;
  streams_ = nullptr;
  --count_;
  // Inside a feed the message's end is known, but not yet what lies behind it.
  if (in_feed_) return codec_->pause();
  finish_release();
}

void Session::finish_release() {
  Stream& s = *ended_;
  ended_ = nullptr;
  context_.bury(s);
  bool whole = s.in_done_ && s.out_done_ && out_.empty() && transport_->pending() == 0;
  if (s.tunnel_ && s.out_done_ && state_ == State::kOpen && !write_broken_ &&
      (!out_.empty() || transport_->pending() > 0)) {
    // The last bytes of a tunnel still go; nobody waits for them but the peer.
    state_ = State::kLingering;
    read_deadline_ = now() + kLinger;
    arm();
    return;
  }
  if (!whole || close_after_ || s.tunnel_ || write_broken_ || state_ != State::kOpen || !codec_->message_done()) {
    close(Error{}, false);
    return;
  }
  codec_->next_message();
  idle_since_ = now();
  if (transport_->hung_up()) {
    close(Error{}, false);
    return;
  }
  owner_.on_idle(*this);
}

// ---- a server's answer has left ----

void Session::after_output() {
  if (mux_) return finish_mux_streams();
  if (!out_.empty() || transport_->pending() > 0 || !has_stream() || !streams_->out_done_) return;
  if (streams_->tunnel_) {
    if (!shut_) {
      shut_ = true;
      transport_->shutdown_write();
    }
    if (streams_->in_done_ && role_ == Role::kServer) finish_server_stream();
    return;
  }
  if (role_ == Role::kServer) finish_server_stream();
}

void Session::finish_server_stream() {
  Stream& s = *streams_;
  StreamEvents* events = s.events;
  bool whole = s.in_done_ && !refused_;
  end_stream(s);
  events->on_finished(s);
  if (state_ != State::kOpen) return;
  if (s.tunnel_) {
    close(Error{}, false);
  } else if (!whole || draining_ || close_after_) {
    if (whole && held_.empty() && !transport_->can_read()) {
      close(Error{}, false);
    } else {
      linger();
    }
  } else {
    next_message();
  }
}

void Session::next_message() {
  codec_->next_message();
  close_after_ = abort_at_end_ = false;
  needs_more_ = false;
  idle_since_ = now();
  read_deadline_ = timeouts_->idle == 0 ? 0 : now() + timeouts_->idle;
  arm();
  if (!held_.empty() || transport_->can_read() || transport_->hung_up()) context_.loop().make_ready(*this);
}

// The rest of what the client sends is read and dropped for a moment: a close with unread bytes would reset the answer.
void Session::linger() {
  state_ = State::kLingering;
  held_.clear();
  read_deadline_ = now() + kLinger;
  send_deadline_ = extra_deadline_ = 0;
  arm();
  context_.loop().make_ready(*this);
}

void Session::drain(Nanos idle_until) {
  draining_ = true;
  if (idle()) {
    read_deadline_ = idle_until;
    arm();
  } else if (mux_) {
    start_goaway();
  }
}

// ---- ends ----

void Session::refuse(Cause cause, const char* detail) {
  refused_ = true;
  held_.clear();
  read_deadline_ = 0;
  Stream& s = static_cast<Stream&>(on_begin(1));
  s.events->on_refused(s, cause, detail);
}

void Session::drop_stream(Stream& s, const Error& error) {
  StreamEvents* events = s.events;
  end_stream(s);
  if (mux_) codec_->abandon(s);
  Error e = error;
  if (role_ == Role::kClient) {
    if (!s.written_) {
      e.retry = RetrySafety::kSafe;  // the server cannot have seen it
    } else if (mux_ && s.answered_) {
      e.retry = RetrySafety::kNever;
      if (e.source == Source::kUpstream && !s.in_done_) e.cause = Cause::kUpstreamTruncated;
    }
  }
  events->on_reset(s, e);
}

void Session::fail(const Error& error, bool abort) {
  if (state_ == State::kClosed) return;
  close(error, abort);
}

void Session::cut(const Error& error) {
  if (state_ == State::kLingering || state_ == State::kClosed) return;
  if (!mux_ || state_ != State::kOpen) return close(error, false);
  while (streams_ != nullptr) drop_stream(*streams_, error);
  if (state_ != State::kOpen) return;
  if (goaway_ != Goaway::kFinal) codec_->finish_goaway();
  goaway_ = Goaway::kFinal;
  if (flush() && state_ == State::kOpen) linger();
}

void Session::close_idle() {
  if (mux_ && state_ == State::kOpen && goaway_ != Goaway::kFinal && !in_feed_) {
    codec_->finish_goaway();
    flush();
  }
  close(Error{}, false);
}

void Session::close(const Error& error, bool abort) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (mux_) codec_->pause();  // inside a feed, nothing more is heard
  while (streams_ != nullptr) drop_stream(*streams_, error);
  if (ended_ != nullptr) {
    context_.bury(*ended_);
    ended_ = nullptr;
  }
  out_.clear();
  if (dirty_ || gathered_) {
    context_.forget(*this);
    dirty_ = gathered_ = false;
  }
  if (transport_) transport_->close(abort);
  context_.loop().cancel_timer(timer_);
  owner_.on_closed(*this, error);
}

void Session::arm() {
  Nanos first = 0;
  for (Nanos d : {read_deadline_, send_deadline_, extra_deadline_}) {
    if (d != 0 && (first == 0 || d < first)) first = d;
  }
  if (first == 0) {
    context_.loop().cancel_timer(timer_);
  } else {
    context_.loop().set_timer(timer_, first);
  }
}

void Session::on_timer() {
  Nanos at = now();
  bool server = role_ == Role::kServer;
  Source side = server ? Source::kDownstream : Source::kUpstream;
  if (send_deadline_ != 0 && at >= send_deadline_) {
    return close({server ? Cause::kSendTimeout : Cause::kResponseTimeout, side, RetrySafety::kNever, 0, nullptr}, true);
  }
  if (extra_deadline_ != 0 && at >= extra_deadline_) {
    mux_timer(at);
    if (state_ == State::kClosed) return;
  }
  if (read_deadline_ == 0 || at < read_deadline_) return arm();
  read_deadline_ = 0;
  if (opening()) {
    return close({server ? Cause::kHandshakeFailed : Cause::kConnectTimeout, side, RetrySafety::kSafe, 0, nullptr},
                 false);
  }
  if (state_ == State::kLingering || !server) return close_idle();
  if (mux_) {
    if (head_late_ && codec_->head_started()) {
      codec_->finish_goaway();
      flush();
      return close({Cause::kHeadTimeout, side, RetrySafety::kNever, 0, nullptr}, false);
    }
    draining_ = true;
    start_goaway();
    context_.finish_turn();
    return;
  }
  if (codec_ && codec_->head_started() && !has_stream()) {
    refuse(Cause::kHeadTimeout, nullptr);
    context_.finish_turn();
    return;
  }
  close(client_left(), false);
}

}  // namespace albatross
