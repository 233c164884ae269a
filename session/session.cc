// The life of a connection: it starts, waits, drains and closes. session_io.cc opens it and moves bytes.
#include "session/session.h"

#include "tls/tls_info.h"

namespace albatross {

Session::Session(SessionContext& context, ConnectionOwner& owner, Role role, const SessionSettings& settings,
                 const ConnectionInfo& info)
    : Connection(role),
      context_(context),
      owner_(owner),
      settings_(&settings),
      writer_(context.loop().blocks(), context.scratch()) {
  info_ = info;
}

Session::~Session() = default;

void Session::start(std::unique_ptr<Transport> transport, Nanos open_timeout) {
  transport_ = std::move(transport);
  writer_.attach(*transport_);
  set_read_deadline(open_timeout == 0 ? 0 : now() + open_timeout);
}

const TlsInfo* Session::tls() const { return transport_->is_open() ? transport_->tls() : nullptr; }

bool Session::idle() const { return is_open() && !has_stream() && (!streams_ || streams_->between_messages()); }

bool Session::can_open() const { return is_open() && streams_ && !writer_.broken() && streams_->can_open(); }

Stream& Session::open_stream(StreamEvents& events, Method method, bool upgrade) {
  return streams_->open(events, method, upgrade);
}

bool Session::reusable() const {
  return is_open() && !has_stream() && !transport_->can_read() && !transport_->hung_up() && held_.empty();
}

// Server: the answer has left, and the next request may come.
void Session::next_message() {
  needs_more_ = false;
  idle_since_ = now();
  const Nanos patience = settings_->timeouts.idle;
  set_read_deadline(patience == 0 ? 0 : now() + patience);
  if (!held_.empty() || transport_->can_read() || transport_->hung_up()) context_.loop().make_ready(*this);
}

// Sends what is left, then ends our direction. For a limited time, bytes from the peer are read and dropped: a close
// with unread bytes would make the kernel reset the connection, and the peer would lose our last bytes.
void Session::linger() {
  state_ = State::kLingering;
  held_.clear();
  send_deadline_ = 0;
  set_read_deadline(now() + kLinger);
  context_.loop().make_ready(*this);
}

void Session::drain(Nanos idle_until) {
  draining_ = true;
  if (idle()) {
    set_read_deadline(idle_until);
  } else if (streams_) {
    streams_->drain();
  }
}

// ---- ends ----

void Session::cut(const Error& error) {
  if (is_open()) settle();
  if (state_ == State::kLingering || state_ == State::kClosed) return;
  if (!is_open() || !streams_) return close(error);
  streams_->cut(error);
}

void Session::close_idle() {
  if (is_open() && streams_) streams_->say_goodbye();
  close(Error{});
}

void Session::close(const Error& error, bool abort) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (streams_) streams_->close(error);
  writer_.out().clear();
  ListHook<Session, TurnLink>::unlink();
  if (transport_) transport_->close(abort);
  context_.loop().cancel_timer(timer_);
  owner_.on_closed(*this, error);
}

// ---- deadlines ----

void Session::set_read_deadline(Nanos deadline) {
  read_deadline_ = deadline;
  arm();
}

void Session::arm() {
  Nanos first = 0;
  for (Nanos d : {read_deadline_, send_deadline_, streams_ ? streams_->deadline() : 0}) {
    if (d != 0 && (first == 0 || d < first)) first = d;
  }
  if (first == 0) {
    context_.loop().cancel_timer(timer_);
  } else {
    context_.loop().set_timer(timer_, first);
  }
}

void Session::on_timer() {
  const Nanos at = now();
  const bool server = role_ == Role::kServer;
  if (send_deadline_ != 0 && at >= send_deadline_) {
    return close(
        server ? downstream_error(Cause::kSendTimeout) : upstream_error(Cause::kResponseTimeout, RetrySafety::kNever),
        true);
  }
  if (streams_ && streams_->deadline() != 0 && at >= streams_->deadline()) {
    streams_->on_deadline(at);
    if (state_ == State::kClosed) return;
  }
  if (read_deadline_ == 0 || at < read_deadline_) return arm();
  read_deadline_ = 0;
  if (opening()) {
    return close(server ? downstream_error(Cause::kHandshakeFailed, "it did not end in time")
                        : upstream_error(Cause::kConnectTimeout, RetrySafety::kSafe));
  }
  if (state_ == State::kLingering || !server) return close_idle();
  if (!streams_) return close(downstream_error(Cause::kClientLeft));
  streams_->read_timed_out();
  if (state_ != State::kClosed) arm();  // for the deadlines that are still ahead
}

}  // namespace albatross
