// Writes a session's Output to its Transport: what waits, how much was written, and whether our direction still works.
// A member of a Session; the loop's thread.
#pragma once

#include "http/output.h"
#include "net/transport.h"

namespace albatross {

class SessionWriter {
 public:
  SessionWriter(BlockPool& pool, OutputScratch& scratch) : out_(pool, scratch) {}

  void attach(Transport& transport) { transport_ = &transport; }
  Output& out() { return out_; }
  const Output& out() const { return out_; }
  // Whether some bytes have not reached the kernel yet.
  bool has_output() const { return !out_.empty() || held_back() > 0; }
  // Bytes that the transport has taken and not written.
  std::size_t held_back() const { return transport_->pending(); }
  // The offset of the output up to which the kernel has everything.
  std::uint64_t sent() const { return sent_; }
  // Whether a write has failed; nothing more is written then.
  bool broken() const { return state_ == State::kBroken; }

  // Writes the bytes that the transport held back.
  void flush_transport() {
    if (broken() || held_back() == 0) return;
    if (transport_->flush().status == IoStatus::kError) state_ = State::kBroken;
    note_sent();
  }
  // Writes as much as the socket takes; true if it took any.
  bool write() {
    bool progress = false;
    while (!broken() && !out_.empty() && transport_->can_write()) {
      iovec parts[24];
      IoResult r = transport_->write(parts, out_.peek(parts, 24));
      if (r.status == IoStatus::kError) state_ = State::kBroken;
      if (r.bytes == 0) break;
      out_.consume(r.bytes);
      note_sent();
      progress = true;
    }
    return progress;
  }
  // Ends our direction, once.
  void shutdown() {
    if (state_ != State::kOpen) return;
    state_ = State::kShut;
    transport_->shutdown_write();
  }

 private:
  enum class State : std::uint8_t { kOpen, kShut, kBroken };

  void note_sent() {
    if (held_back() == 0) sent_ = out_.passed();
  }

  Output out_;
  Transport* transport_ = nullptr;
  std::uint64_t sent_ = 0;
  State state_ = State::kOpen;
};

}  // namespace albatross
