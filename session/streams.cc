#include "session/streams.h"

#include "session/session.h"

namespace albatross {
namespace {

class Nobody final : public StreamEvents {
 public:
  Arena& arena() override {
    arena_.reset();
    return arena_;
  }
  void on_head(Stream&, Head&, bool) override {}
  void on_data(Stream& s, std::string_view data) override { s.consume(data.size()); }
  void on_end(Stream&, Fields*) override {}
  void on_refused(Stream&, Cause, const char*) override {}
  void on_reset(Stream&, const Error&) override {}
  void on_sent(Stream&, std::size_t) override {}
  void on_finished(Stream&) override {}

 private:
  Arena arena_;
};

}  // namespace

StreamEvents& Streams::nobody() {
  thread_local Nobody nobody;
  return nobody;
}

void Stream::begin(Connection& connection, StreamControl& control, Nanos send_timeout) {
  connection_ = &connection;
  control_ = &control;
  events = nullptr;
  id = 0;
  in = out = Direction::kIdle;
  fresh = {};
  has_trailers = end_sent = deferred = listed = tunnel = to_head = peer_reset = closed = false;
  heads = 0;
  why = nullptr;
  ends_at_ = 0;
  owed_ = queued_ = 0;
  written_ = finishing_ = false;
  send_timeout_ = send_timeout;
  stalled_since_ = 0;
}

bool Streams::server() const { return session_.role_ == Role::kServer; }

Stream& Streams::begin_stream() {
  Stream& s = session_.context_.take_stream();
  s.begin(session_, *this, session_.settings_->timeouts.send);
  list_.push_front(s);
  ++count_;
  return s;
}

void Streams::end_stream(Stream& s) {
  s.events = nullptr;
  IntrusiveList<Stream>::remove(s);
  --count_;
  session_.context_.bury(s);
}

Error Streams::as_seen(const Stream& s, const Error& error) const {
  Error e = error;
  if (!server() && !s.written_) e.retry = RetrySafety::kSafe;  // the server has not seen the request
  return e;
}

void Streams::drop_stream(Stream& s, const Error& error) {
  StreamEvents* events = s.events;
  const Error e = as_seen(s, error);
  end_stream(s);
  events->on_reset(s, e);
}

void Streams::close(const Error& error) {
  while (!list_.empty()) drop_stream(list_.front(), error);
}

void Streams::mark_written() {
  for (Stream& s : list_) s.written_ = true;
}

void Streams::on_data(WireStream& w, std::string_view data) {
  Stream& s = static_cast<Stream&>(w);
  s.owed_ += data.size();
  s.events->on_data(s, data);
}

void Streams::on_end(WireStream& w, Fields* trailers) {
  Stream& s = static_cast<Stream&>(w);
  if (s.events != nullptr) s.events->on_end(s, trailers);
}

void Streams::send_data(Stream& s, std::string_view data) {
  s.queued_ += data.size();
  if (!session_.writer_.broken()) any_codec_.send_data(s, data, session_.writer_.out());
  session_.touch();
}

void Streams::send_end(Stream& s, const Fields* trailers) {
  if (session_.writer_.broken()) {
    advance(s.out, Step::kEnd);
  } else {
    any_codec_.send_end(s, trailers, session_.writer_.out());
  }
  session_.touch();
}

void Streams::start_tunnel(Stream& s) {
  any_codec_.start_tunnel(s);
  session_.context_.loop().make_ready(session_);
}

}  // namespace albatross
