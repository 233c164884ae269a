// What is told to a stream: it goes to the codec, and leaves when the session settles.
#include "session/stream.h"

#include <algorithm>

#include "session/session.h"

namespace albatross {
namespace {

// Hears what nobody waits for any more.
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

void Stream::begin(Session& session, Nanos send_timeout) {
  session_ = &session;
  events = nullptr;
  id = 0;
  fresh = {};
  has_trailers = ends = end_sent = end_seen = deferred = listed = head_seen = tunnel = to_head = peer_reset = closed =
      false;
  heads = 0;
  why = nullptr;
  owed_ = queued_ = 0;
  head_sent_ = out_done_ = in_done_ = tunnel_ = written_ = answered_ = finished_ = false;
  send_timeout_ = send_timeout;
  stalled_since_ = 0;
}

void Stream::send_head(const Head& head, bool end) {
  Session& s = *session_;
  if (head.status == 0 || head.status >= 200 || head.status == 101) {
    head_sent_ = true;
    if (s.role_ == Role::kServer && !s.mux_) {
      if (!head.keep_alive) s.close_after_ = true;
      s.abort_at_end_ = head.body.kind == BodyLength::Kind::kUntilClose;
      if (s.abort_at_end_) s.close_after_ = true;
    }
    if (end) out_done_ = true;
  }
  s.codec_->send_head(*this, head, end, s.out_);
  s.touch();
}

void Stream::send_data(std::string_view data) {
  Session& s = *session_;
  queued_ += data.size();
  if (!s.write_broken_) s.codec_->send_data(*this, data, s.out_);
  s.touch();
}

void Stream::send_end(const Fields* last) {
  Session& s = *session_;
  out_done_ = true;
  if (!s.write_broken_) s.codec_->send_end(*this, last, s.out_);
  s.touch();
}

void Stream::consume(std::size_t bytes) {
  Session& s = *session_;
  std::size_t n = std::min(bytes, owed_);
  owed_ -= n;
  if (s.state_ != Session::State::kOpen) return;
  if (s.mux_) {
    s.codec_->consume(*this, n);
    if (s.codec_->wants_to_produce()) s.touch();
  } else if (owed_ == 0 && !s.in_feed_) {
    s.context_.loop().make_ready(s);
  }
}

void Stream::start_tunnel() {
  tunnel_ = true;
  out_done_ = false;
  if (!session_->mux_) in_done_ = false;  // one that multiplexes may have ended already
  session_->codec_->start_tunnel(*this);
  session_->context_.loop().make_ready(*session_);
}

bool Stream::waiting_for_peer() const {
  return session_->mux_ ? owed_ == 0 : session_->may_read() && !session_->transport_->can_read();
}

void Stream::release() { session_->release(*this); }

void Stream::reset() { session_->reset(*this); }

bool Stream::end_tunnel() {
  if (!session_->mux_ || out_done_) {
    reset();
    return false;
  }
  tunnel_ = tunnel = false;
  send_end(nullptr);
  if (session_->role_ == Role::kServer) return true;
  events = &session_->orphan();
  finished_ = true;
  ++session_->finished_;
  return false;
}

StreamEvents& Session::orphan() {
  thread_local Nobody nobody;
  return nobody;
}

}  // namespace albatross
