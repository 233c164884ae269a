// A Transport over two strings, with the peer's end in the test's hands.
//
// Readiness behaves as on an edge-triggered socket: flags, short reads and writes, a hang-up that comes with data. Any
// operation can be made to fail: `fail_at` counts opens, reads and writes.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/transport.h"

namespace albatross::session_test {

class MemoryTransport;

// What both ends share; the peer's side of it.
struct Wire {
  void send(std::string_view bytes);  // the peer writes
  void finish();                      // the peer's FIN
  void reset();                       // the peer's RST
  void take(std::size_t bytes);       // the peer reads: room for as much more
  std::string received() {            // what has come from the session since the last time
    std::string out;
    out.swap(from_session);
    return out;
  }

  std::string to_session;
  std::string from_session;
  std::size_t room = ~std::size_t{0};       // what the socket's buffer still takes
  std::size_t max_read = ~std::size_t{0};   // of one read
  std::size_t max_write = ~std::size_t{0};  // of one write
  bool hold_back = false;                   // as TLS: takes all, keeps what does not fit
  int opens_again = 0;                      // this many opens say kAgain first
  int open_error = -1;
  bool fin = false;
  bool rst = false;
  bool shut = false;          // the session has ended its direction
  bool closed = false;        // the session has let go
  bool aborted = false;       // with a reset
  bool write_broken = false;  // writes fail, what the peer sent before can still be read
  int fail_at = 0;            // the operation that fails, from 1
  int operations = 0;
  int reads = 0;
  MemoryTransport* end = nullptr;
};

class MemoryTransport final : public Transport {
 public:
  MemoryTransport(Loop& loop, Ready& owner, std::shared_ptr<Wire> wire) : Transport(owner), wire_(std::move(wire)) {
    loop_ = &loop;
    wire_->end = this;
    writable_ = true;
    notify();
  }
  ~MemoryTransport() override {
    close(false);
    wire_->end = nullptr;
  }

  IoResult open() override {
    if (wire_->open_error >= 0) return {0, IoStatus::kError, wire_->open_error};
    if (wire_->opens_again > 0) {
      --wire_->opens_again;
      return {0, IoStatus::kAgain, 0};
    }
    return fails() ? IoResult{0, IoStatus::kError, ECONNREFUSED} : IoResult{};
  }

  IoResult read(char* into, std::size_t size) override {
    Wire& w = *wire_;
    ++w.reads;
    if (!readable_) return {0, IoStatus::kAgain, 0};
    if (w.rst || fails()) return fail(ECONNRESET);
    if (w.to_session.empty()) {
      if (w.fin) return {0, IoStatus::kEnd, 0};
      readable_ = false;
      return {0, IoStatus::kAgain, 0};
    }
    std::size_t n = std::min({size, w.max_read, w.to_session.size()});
    std::memcpy(into, w.to_session.data(), n);
    w.to_session.erase(0, n);
    readable_ = !w.to_session.empty() || hung_up_;
    return {n, IoStatus::kOk, 0};
  }

  IoResult write(const iovec* parts, int count) override {
    Wire& w = *wire_;
    if (!writable_) return {0, IoStatus::kAgain, 0};
    if (w.write_broken) return {0, IoStatus::kError, EPIPE};
    if (w.rst || fails()) return fail(EPIPE);
    if (!held_.empty()) return {0, IoStatus::kAgain, 0};
    std::string all;
    for (int i = 0; i < count; ++i) all.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
    std::size_t n = std::min({all.size(), w.max_write, w.room});
    put(std::string_view(all).substr(0, n));
    if (w.hold_back) {
      held_ += all.substr(n);
      if (!held_.empty() && w.room == 0) writable_ = false;
      return {all.size(), IoStatus::kOk, 0};
    }
    if (n < all.size() && w.room == 0) writable_ = false;
    return n == 0 && !all.empty() ? IoResult{0, IoStatus::kAgain, 0} : IoResult{n, IoStatus::kOk, 0};
  }

  std::size_t pending() const override { return held_.size(); }
  IoResult flush() override {
    if (wire_->rst || (!held_.empty() && fails())) return fail(EPIPE);
    std::size_t n = std::min(held_.size(), wire_->room);
    put(std::string_view(held_).substr(0, n));
    held_.erase(0, n);
    if (!held_.empty()) writable_ = false;
    return {n, held_.empty() ? IoStatus::kOk : IoStatus::kAgain, 0};
  }

  void shutdown_write() override { wire_->shut = true; }
  void close(bool abort) override {
    if (wire_->closed) return;
    wire_->closed = true;
    wire_->aborted = abort;
  }
  bool is_open() const override { return !wire_->closed; }

  // What epoll would have said.
  void notify() {
    if (wire_->closed) return;
    if (!wire_->to_session.empty() || wire_->fin || wire_->rst) readable_ = true;
    if (wire_->fin || wire_->rst) hung_up_ = true;
    if (wire_->rst) broken_ = writable_ = true;
    if (wire_->room > 0) writable_ = true;
    loop_->make_ready(*owner_);
  }

 private:
  bool fails() { return ++wire_->operations == wire_->fail_at; }
  IoResult fail(int error) {
    wire_->rst = true;
    hung_up_ = broken_ = readable_ = true;
    return {0, IoStatus::kError, error};
  }
  void put(std::string_view bytes) {
    wire_->from_session += bytes;
    wire_->room -= bytes.size();
  }

  std::shared_ptr<Wire> wire_;
  std::string held_;
};

inline void Wire::send(std::string_view bytes) {
  to_session += bytes;
  if (end != nullptr) end->notify();
}
inline void Wire::finish() {
  fin = true;
  if (end != nullptr) end->notify();
}
inline void Wire::reset() {
  rst = true;
  to_session.clear();
  if (end != nullptr) end->notify();
}
inline void Wire::take(std::size_t bytes) {
  room += bytes;
  if (end != nullptr) end->notify();
}

}  // namespace albatross::session_test
