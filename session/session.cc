// The life of a connection and its stream. Bytes are moved in session_io.cc.
#include "session/session.h"

#include <algorithm>

namespace albatross {
namespace {
Error client_left() { return {Cause::kClientLeft, Source::kDownstream, RetrySafety::kNever, 0, nullptr}; }
}  // namespace

void SessionContext::mark_dirty(Session& s) {
  dirty_.push_back(&s);
  loop_.make_ready(*this);  // for sends outside a read: timers, mail, other streams' ends
}

bool SessionContext::take_handshake() {
  if (turn_ != loop_.turns()) {
    turn_ = loop_.turns();
    handshakes_ = 0;
  }
  return ++handshakes_ <= kHandshakes;
}

void SessionContext::forget(Session& s) { std::erase(dirty_, &s); }

void SessionContext::settle() {
  while (!dirty_.empty()) {
    Session* s = dirty_.back();
    dirty_.pop_back();
    s->settle();
  }
  scratch_.clear();
}

Session::Session(SessionContext& context, SessionOwner& owner, Role role, const HeadLimits& limits,
                 const SessionTimeouts& timeouts)
    : context_(context),
      owner_(owner),
      timeouts_(&timeouts),
      codec_(role, limits),
      out_(context.loop().blocks(), context.scratch()),
      send_timeout_(timeouts.send),
      role_(role) {
  stream_.session_ = this;
  stream_.id_ = 1;
}

Session::~Session() {
  if (dirty_) context_.forget(*this);
}

void Session::start(std::unique_ptr<Transport> transport, Nanos open_timeout) {
  transport_ = std::move(transport);
  opened_at_ = now();
  read_deadline_ = open_timeout == 0 ? 0 : now() + open_timeout;
  arm();
}

void Session::on_ready() {
  if (state_ == State::kClosed) return;
  if (state_ == State::kOpening && !finish_opening()) return;
  if (state_ == State::kLingering) {
    discard_input();
    return;
  }
  if (!out_.empty() || transport_->pending() > 0) {
    if (!flush()) return;
    after_output();
    if (state_ != State::kOpen) return;
  }
  read_some();
  context_.settle();
}

// ---- streams ----

Stream& Session::open_stream(StreamEvents& events, Method method, bool upgrade) {
  ++requests_;
  stream_.events = &events;
  stream_.owed_ = stream_.queued_ = 0;
  stream_.head_sent_ = stream_.out_done_ = stream_.in_done_ = stream_.tunnel_ = stream_.written_ = false;
  codec_.expect_response(method, upgrade);
  read_deadline_ = 0;
  return stream_;
}

bool Session::reusable() const {
  return state_ == State::kOpen && !has_stream() && !transport_->can_read() && !transport_->hung_up() && held_.empty();
}

void Session::begin_stream() {
  if (has_stream()) return;
  send_timeout_ = timeouts_->send;
  ++requests_;
  stream_.owed_ = stream_.queued_ = 0;
  stream_.head_sent_ = stream_.out_done_ = stream_.in_done_ = stream_.tunnel_ = stream_.written_ = false;
  owner_.on_new_stream(*this, stream_);
}

Arena& Session::on_begin(StreamId) {
  if (role_ == Role::kServer) begin_stream();
  return stream_.events->arena();
}

void Session::on_head(StreamId, Head& head, bool end) {
  if (role_ == Role::kServer) {
    read_deadline_ = 0;
    arm();
  } else if (head.status >= 200) {
    close_after_ = !head.keep_alive;
    peer_keep_alive_ = head.keep_alive_timeout;
  }
  if (end) stream_.in_done_ = true;
  stream_.events->on_head(stream_, head, end);
  if (!has_stream() || state_ != State::kOpen) codec_.pause();
}

void Session::on_data(StreamId, std::string_view data) {
  if (!has_stream()) return codec_.pause();
  stream_.owed_ += data.size();
  stream_.events->on_data(stream_, data);
  if (!has_stream() || state_ != State::kOpen) codec_.pause();
}

void Session::on_end(StreamId, Fields* trailers) {
  if (!has_stream()) return;
  stream_.in_done_ = true;
  stream_.events->on_end(stream_, trailers);
}

void Stream::send_head(const Head& head, bool end) {
  Session& s = *session_;
  if (head.status == 0 || head.status >= 200 || head.status == 101) {
    head_sent_ = true;
    if (s.role_ == Role::kServer) {
      if (!head.keep_alive) s.close_after_ = true;
      s.abort_at_end_ = head.body.kind == BodyLength::Kind::kUntilClose;
      if (s.abort_at_end_) s.close_after_ = true;
    }
    if (end) out_done_ = true;
  }
  s.codec_.send_head(id_, head, end, s.out_);
  if (!s.dirty_) {
    s.dirty_ = true;
    s.context_.mark_dirty(s);
  }
}

void Stream::send_data(std::string_view data) {
  Session& s = *session_;
  queued_ += data.size();
  if (!s.write_broken_) s.codec_.send_data(id_, data, s.out_);
  if (!s.dirty_) {
    s.dirty_ = true;
    s.context_.mark_dirty(s);
  }
}

void Stream::send_end(const Fields* trailers) {
  Session& s = *session_;
  out_done_ = true;
  if (!s.write_broken_) s.codec_.send_end(id_, trailers, s.out_);
  if (!s.dirty_) {
    s.dirty_ = true;
    s.context_.mark_dirty(s);
  }
}

void Stream::consume(std::size_t bytes) {
  owed_ -= std::min(bytes, owed_);
  if (owed_ == 0 && session_->state_ == Session::State::kOpen && !session_->in_feed_) {
    session_->context_.loop().make_ready(*session_);
  }
}

void Stream::start_tunnel() {
  tunnel_ = true;
  in_done_ = out_done_ = false;
  session_->codec_.start_tunnel();
  session_->context_.loop().make_ready(*session_);
}

void Stream::release() { session_->stream_release(); }
void Stream::reset() { session_->stream_reset(); }

void Session::stream_reset() {
  stream_.events = nullptr;
  Error none;
  // An answer that was begun must look cut; so must a request body.
  close(none, role_ == Role::kServer && abort_at_end_);
}

// Inside a feed the message's end is known, but not yet what lies behind it.
void Session::stream_release() {
  stream_.events = nullptr;
  if (in_feed_) {
    release_pending_ = true;
    codec_.pause();
    return;
  }
  finish_release();
}

void Session::finish_release() {
  release_pending_ = false;
  bool whole = stream_.in_done_ && stream_.out_done_ && out_.empty() && transport_->pending() == 0;
  bool tunnel = stream_.tunnel_;
  if (tunnel && stream_.out_done_ && state_ == State::kOpen && !write_broken_ && (!out_.empty() || transport_->pending() > 0)) {
    // The last bytes of a tunnel still go; nobody waits for them but the peer.
    state_ = State::kLingering;
    read_deadline_ = now() + kLinger;
    arm();
    return;
  }
  if (!whole || close_after_ || tunnel || write_broken_ || state_ != State::kOpen || !codec_.message_done()) {
    close(Error{}, false);
    return;
  }
  codec_.next_message();
  idle_since_ = now();
  if (transport_->hung_up()) {
    close(Error{}, false);
    return;
  }
  owner_.on_idle(*this);
}

// ---- a server's answer has left ----

void Session::after_output() {
  if (!out_.empty() || transport_->pending() > 0 || !has_stream() || !stream_.out_done_) return;
  if (stream_.tunnel_) {
    if (!shut_) {
      shut_ = true;
      transport_->shutdown_write();
    }
    if (stream_.in_done_ && role_ == Role::kServer) finish_server_stream();
    return;
  }
  if (role_ == Role::kServer) finish_server_stream();
}

void Session::finish_server_stream() {
  StreamEvents* events = stream_.events;
  bool whole = stream_.in_done_ && !refused_;
  bool tunnel = stream_.tunnel_;
  stream_.events = nullptr;
  events->on_finished(stream_);
  if (state_ != State::kOpen) return;
  if (tunnel) {
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
  codec_.next_message();
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
  send_deadline_ = 0;
  arm();
  context_.loop().make_ready(*this);
}

void Session::drain(Nanos idle_until) {
  draining_ = true;
  if (idle()) {
    read_deadline_ = idle_until;
    arm();
  }
}

// ---- ends ----

void Session::refuse(Cause cause, const char* detail) {
  refused_ = true;
  held_.clear();
  read_deadline_ = 0;
  begin_stream();
  stream_.events->on_refused(stream_, cause, detail);
}

void Session::drop_stream(const Error& error) {
  StreamEvents* events = stream_.events;
  stream_.events = nullptr;
  if (events == nullptr) return;
  Error e = error;
  if (role_ == Role::kClient && !stream_.written_) e.retry = RetrySafety::kSafe;  // the server cannot have seen it
  events->on_reset(stream_, e);
}

void Session::fail(const Error& error, bool abort) {
  if (state_ == State::kClosed) return;
  close(error, abort);
}

void Session::close(const Error& error, bool abort) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  drop_stream(error);
  out_.clear();
  if (dirty_) {
    context_.forget(*this);
    dirty_ = false;
  }
  if (transport_) transport_->close(abort);
  context_.loop().cancel_timer(timer_);
  owner_.on_closed(*this, error);
}

void Session::arm() {
  Nanos first = read_deadline_ == 0 ? send_deadline_
                : send_deadline_ == 0 ? read_deadline_
                                      : std::min(read_deadline_, send_deadline_);
  if (first == 0) {
    context_.loop().cancel_timer(timer_);
  } else {
    context_.loop().set_timer(timer_, first);
  }
}

void Session::on_timer() {
  Nanos at = now();
  if (send_deadline_ != 0 && at >= send_deadline_) {
    Cause cause = role_ == Role::kServer ? Cause::kSendTimeout : Cause::kResponseTimeout;
    return close({cause, role_ == Role::kServer ? Source::kDownstream : Source::kUpstream, RetrySafety::kNever, 0, nullptr}, true);
  }
  if (read_deadline_ == 0 || at < read_deadline_) return arm();
  read_deadline_ = 0;
  if (state_ == State::kOpening) {
    Cause cause = role_ == Role::kServer ? Cause::kHandshakeFailed : Cause::kConnectTimeout;
    return close({cause, role_ == Role::kServer ? Source::kDownstream : Source::kUpstream, RetrySafety::kSafe, 0, nullptr}, false);
  }
  if (state_ == State::kLingering || role_ == Role::kClient) return close(Error{}, false);
  if (codec_.head_started() && !has_stream()) {
    refuse(Cause::kHeadTimeout, nullptr);
    context_.settle();
    return;
  }
  close(client_left(), false);
}

}  // namespace albatross
