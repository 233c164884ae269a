// Opens the connection and moves bytes: transport -> scratch -> codec, and output -> transport.
#include <algorithm>
#include <cstring>

#include "http/h1/codec.h"
#include "net/proxy_header.h"
#include "session/mux_streams.h"
#include "session/serial_streams.h"
#include "session/session.h"
#include "tls/tls_info.h"

namespace albatross {
namespace {

// Whether the first line is one of HTTP/1. Before the line is complete, only the HTTP/2 preface can be told apart.
bool opens_http1(std::string_view first) {
  if (first.substr(0, kH2Preface.size()) == kH2Preface) return false;
  std::size_t end = first.find("\r\n");
  return end == std::string_view::npos || first.substr(0, end).find(" HTTP/") != std::string_view::npos;
}

bool speaks_h2(const Transport& transport, Wire wire, std::string_view first) {
  if (const TlsInfo* tls = transport.tls()) return tls->alpn == "h2";
  if (transport.in_clear()) return false;
  if (wire != Wire::kEither) return wire == Wire::kHttp2;
  return !opens_http1(first);
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

void Session::on_ready() {
  context_.recycle_streams();
  switch (state_) {
    case State::kClosed: return;
    case State::kLingering: return discard_input();
    case State::kOpening:
      if (!finish_opening()) return;
      break;
    case State::kOpen: break;
  }
  if (!gathered_ && !writer_.broken() && (writer_.has_output() || (streams_ && streams_->wants_to_write()))) {
    if (!flush()) return;
    if (streams_) streams_->after_output();
    if (!is_open()) return;
  }
  read_some();
  context_.settle();
}

// ---- opening ----

bool Session::finish_opening() {
  if (info_.secure && !context_.take_handshake()) {
    context_.loop().make_ready(*this);  // other sessions go first: a handshake costs as much as twenty requests
    return false;
  }
  const bool server = role_ == Role::kServer;
  IoResult r = transport_->open();
  if (r.status == IoStatus::kAgain) return false;
  if (r.status != IoStatus::kOk) {
    const char* why = transport_->failure();
    close(server ? downstream_error(Cause::kHandshakeFailed, why, r.error)
                 : upstream_error(connect_cause(r.error), RetrySafety::kSafe, why, r.error));
    return false;
  }
  state_ = State::kOpen;
  const ProxyHeader* h = transport_->proxy_header();
  if (h != nullptr && !h->local) info_.set_client(h->source, h->source_port);
  if (transport_->in_clear()) {
    info_.secure = false;
    info_.in_clear = true;
  }
  idle_since_ = now();
  if (!choose_codec({})) return false;
  if (server) {
    const Nanos patience = settings_->timeouts.idle;
    set_read_deadline(patience == 0 ? 0 : now() + patience);
  }
  if (opening()) return true;
  if (!server) set_read_deadline(0);
  owner_.on_open(*this);
  return is_open();
}

// Makes the Streams: by ALPN, by the configuration, or by the first bytes of a plain connection that may speak either.
// False if the session is gone.
bool Session::choose_codec(std::string_view first) {
  const bool either = settings_->wire == Wire::kEither && transport_->tls() == nullptr && !transport_->in_clear();
  if (either && first.size() < kH2Preface.size() && kH2Preface.substr(0, first.size()) == first) return true;
  if (!speaks_h2(*transport_, settings_->wire, first)) {
    if (role_ == Role::kClient && settings_->wire == Wire::kHttp2) {
      close(upstream_error(Cause::kUpstreamTls, RetrySafety::kSafe, "the server does not speak h2"));
      return false;
    }
    streams_ = std::make_unique<SerialStreams>(*this, std::make_unique<H1Codec>(role_, settings_->limits));
    return true;
  }
  info_.version = Version::kHttp2;
  streams_ = std::make_unique<MuxStreams>(*this, std::make_unique<H2Codec>(role_, settings_->limits, settings_->h2));
  return true;
}

// ---- input ----

bool Session::may_read() const {
  if (!is_open()) return false;
  return streams_ ? streams_->may_read() : role_ == Role::kServer;
}

void Session::hold(std::string_view bytes, bool needs_more) {
  held_.assign(bytes);
  needs_more_ = needs_more;
}

// Reads at most twice a turn; then other sessions have their turn.
void Session::read_some() {
  for (int i = 0; i < 2 && is_open(); ++i) {
    if (streams_ && !streams_->expects_input()) {
      if (!nothing_to_read() || transport_->hung_up()) close(Error{});
      return;
    }
    if (!read_once()) break;
  }
  if (!is_open()) return;
  if (may_read() && (transport_->can_read() || (!held_.empty() && !needs_more_))) {
    context_.loop().make_ready(*this);
  } else if (!transport_->hung_up()) {
    return;
  } else if (streams_) {
    streams_->hung_up();
  } else if (!transport_->can_read()) {
    close(downstream_error(Cause::kClientLeft));
  }
}

// Processes held bytes, or else reads once. False if there is nothing to process now.
bool Session::read_once() {
  if (!may_read()) return false;
  if (!held_.empty() && !needs_more_) {
    std::string bytes = std::move(held_);
    held_.clear();
    process(bytes);
    context_.settle();
    return true;
  }
  if (!transport_->can_read()) return false;
  context_.settle();
  if (!is_open()) return false;
  char* buffer = context_.loop().read_scratch();
  std::size_t have = std::min(held_.size(), Loop::kScratch - ReadSize::kLeast);
  std::memcpy(buffer, held_.data(), have);
  std::size_t ask = std::min<std::size_t>(read_size_.next(), Loop::kScratch - have);
  IoResult r = transport_->read(buffer + have, ask);
  switch (r.status) {
    case IoStatus::kAgain: return false;
    case IoStatus::kEnd:
      if (streams_) {
        streams_->end_of_input();
      } else {
        close(Error{});
      }
      return false;
    case IoStatus::kError:
      close(streams_ ? streams_->broken(r.error) : downstream_error(Cause::kClientLeft, nullptr, r.error));
      return false;
    case IoStatus::kOk: break;
  }
  if (held_.capacity() > 0) std::string().swap(held_);
  process({buffer, have + r.bytes});
  context_.settle();
  read_size_.adapt(ask, r.bytes, !streams_ || streams_->drained());
  return true;
}

void Session::process(std::string_view bytes) {
  if (!streams_) {
    if (!choose_codec(bytes)) return;
    if (!streams_) {  // too few bytes to tell the protocol
      const Nanos patience = settings_->timeouts.request_head;
      if (!needs_more_ && patience != 0) set_read_deadline(now() + patience);
      return hold(bytes, true);
    }
  }
  streams_->feed(bytes);
}

void Session::discard_input() {
  if (writer_.has_output()) {
    if (!flush()) return close(Error{});
    if (writer_.has_output()) return;
  }
  writer_.shutdown();
  char* buffer = context_.loop().read_scratch();
  context_.settle();
  while (transport_->can_read()) {
    IoResult r = transport_->read(buffer, ReadSize::kLeast);
    if (r.status == IoStatus::kAgain) return;
    discarded_ += static_cast<std::uint32_t>(r.bytes);
    if (r.status != IoStatus::kOk || discarded_ > kMaxDiscard) return close(Error{});
  }
  if (transport_->hung_up()) close(Error{});
}

// ---- output ----

bool Session::gather() {
  const bool small = is_open() && streams_ && streams_->may_gather() && writer_.out().size() < kGatherAtMost &&
                     writer_.held_back() == 0 && !writer_.broken();
  if (!small) {
    settle();
    return false;
  }
  writer_.out().set_gathering(true);
  streams_->produce();
  writer_.out().set_gathering(false);
  streams_->own();
  return gathered_ = true;
}

void Session::settle() {
  gathered_ = false;
  if (state_ == State::kLingering) context_.loop().make_ready(*this);
  if (state_ == State::kClosed) return;
  if (streams_ && streams_->holds_output()) {
    // Frames are made later, so the views must be copied now.
    streams_->own();
    writer_.out().own_all();
    return;
  }
  if (flush() && is_open() && streams_) streams_->after_output();
}

// Produces and writes as much as can be sent. False if the session is gone.
bool Session::flush() {
  const bool was_broken = writer_.broken();
  writer_.flush_transport();
  bool progress = writer_.write();
  // Produces one write at a time, so that data which the socket does not take stays with its stream.
  while (!writer_.broken() && !writer_.has_output() && streams_ && streams_->wants_to_write()) {
    streams_->produce();
    if (writer_.out().empty() || !writer_.write()) break;
    progress = true;
  }
  if (progress && role_ == Role::kClient) streams_->mark_written();
  Output& out = writer_.out();
  if (writer_.broken()) {
    out.clear();
    if (!was_broken) {
      write_failed();
      return state_ != State::kClosed && state_ != State::kLingering;
    }
    if (streams_) {
      streams_->own();
      streams_->return_credit();
    }
    return state_ != State::kClosed;
  }
  if (out.has_borrowed()) out.own_all();
  if (streams_) streams_->own();
  guard_sending(progress);
  if (streams_ && out.size() + writer_.held_back() <= kLowWater) streams_->return_credit();
  return state_ != State::kClosed;
}

// A client is gone. A server may have answered before it closed; reading will show it.
void Session::write_failed() {
  if (state_ == State::kLingering) return;
  if (role_ == Role::kServer) return close(downstream_error(Cause::kClientLeft));
  streams_->return_credit();
  context_.loop().make_ready(*this);
}

// Sets the deadline for a peer that does not read.
void Session::guard_sending(bool progress) {
  if (!writer_.has_output()) {
    send_deadline_ = 0;
    return;
  }
  const Nanos timeout = streams_ ? streams_->send_timeout() : settings_->timeouts.send;
  if ((!progress && send_deadline_ != 0) || timeout == 0) return;
  send_deadline_ = now() + timeout;
  arm();
}

}  // namespace albatross
