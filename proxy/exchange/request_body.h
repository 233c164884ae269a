// The request's body on its way to a server: how much has come, the part that is kept for another try, and how it ends.
// A member of a Request; worker's thread.
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "session/pump.h"
#include "session/stream.h"

namespace albatross {

class RequestBody {
 public:
  // The most bytes that are kept for another try. A body that waits for a connection may exceed it by one read.
  static constexpr std::size_t kReplay = 64 * 1024;

  explicit RequestBody(BlockPool& pool) : replay_(pool) {}

  void begin(Stream& client) {
    pump_ = Pump();
    pump_.attach(client);
    received_ = 0;
    whole_ = has_trailers_ = replayable_ = end_sent_ = false;
  }
  void clear() { replay_.clear(); }
  // The client's stream is done: credit is not passed on any more.
  void detach() { pump_.detach(); }

  // ---- from the client ----
  void count(std::size_t bytes) { received_ += bytes; }
  std::uint64_t received() const { return received_; }
  void end(Fields* trailers) {
    whole_ = true;
    if (trailers == nullptr) return;
    trailers_ = *trailers;
    has_trailers_ = true;
  }
  bool whole() const { return whole_; }
  void set_whole(bool whole) { whole_ = whole; }

  // ---- for another try ----
  void set_replayable(bool on) { replayable_ = on; }
  bool replayable() const { return replayable_; }
  // Keeps the data, while nothing has been sent to a server.
  void hold(std::string_view data) { replay_.append(data); }
  bool may_hold_more() const { return replay_.size() < kReplay; }
  // Keeps a copy of data that is sent to a server. If it exceeds kReplay, the body cannot be sent again.
  void keep(std::string_view data) {
    if (replay_.size() + data.size() > kReplay) {
      replayable_ = false;
    } else {
      replay_.append(data);
    }
  }
  // Whether everything that has come is kept.
  bool complete() const { return replay_.size() == received_; }
  std::size_t held() const { return replay_.size(); }

  // ---- to a server ----
  void send(Stream& to, std::string_view data) { pump_.data(to, data); }
  void send_kept(Stream& to) {
    replay_.each([&to](std::string_view piece) { to.send_data(piece); });
  }
  // Sends the kept data and drops it. Calls watch(view) for each piece before it is sent.
  template <class F>
  void flush_kept(Stream& to, Arena& arena, F watch) {
    while (!replay_.empty()) {
      iovec part;
      replay_.peek(&part, 1);
      std::string_view bytes = arena.copy({static_cast<char*>(part.iov_base), part.iov_len});
      replay_.consume(part.iov_len);
      watch(bytes);
      pump_.data(to, bytes);
    }
  }
  // Sends the end of the body, once for each try.
  void send_end(Stream& to) {
    if (end_sent_) return;
    end_sent_ = true;
    to.send_end(has_trailers_ ? &trailers_ : nullptr);
  }
  void mark_end_sent() { end_sent_ = true; }
  void new_try() { end_sent_ = false; }
  // `bytes` have left our memory: passes the credit on to the client.
  void sent(std::size_t bytes) {
    if (!replay_.empty() && !replayable_) replay_.clear();
    pump_.sent(bytes);
  }
  Pump& pump() { return pump_; }

 private:
  Pump pump_;
  Buffer replay_;
  Fields trailers_;
  std::uint64_t received_ = 0;
  bool whole_ = false;  // the client's message has ended
  bool has_trailers_ = false;
  bool replayable_ = false;
  bool end_sent_ = false;
};

}  // namespace albatross
