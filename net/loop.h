// One thread's event loop: edge-triggered epoll, a ready list, a mailbox, a timer wheel and deferred destruction.
//
// A turn: wait; events become flags (IoHandler::on_io); the ready list runs, each entry once under its own budget and
// back in line if work is left; the mailbox; due timers; then what was deferred is destroyed. Nothing is destroyed
// inside a callback, and a stale event of a closed descriptor is dropped by its generation. All calls are the loop
// thread's own but post(), which any thread may call. The time is read once a turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/intrusive_list.h"
#include "net/timer_wheel.h"

namespace albatross {

// Receives the epoll flags of one descriptor. Only note them down here: work belongs to the ready list.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  virtual void on_io(std::uint32_t events) = 0;
};

// Something with work to do. The loop does not own it; one that is destroyed leaves the ready list.
class Ready : public ListHook<Ready> {
 public:
  virtual ~Ready() = default;
  virtual void on_ready() = 0;
};

// What ends a turn: writes what was gathered in it. Called last, when everyone who was ready has had a turn, and mail and
// timers have.
class TurnEnd {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEnd() = default;
};

// Base of what a loop destroys at the end of a turn.
class Deferred {
 public:
  virtual ~Deferred() = default;
};

class Loop {
 public:
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Nanos now() const { return now_; }
  Nanos wall() const { return wall_; }
  std::uint64_t turns() const { return turns_; }

  // Registers a descriptor until remove(). Returns its slot. `events` with EPOLLET for hot sockets.
  std::uint32_t add(int fd, std::uint32_t events, IoHandler* handler);
  // Forgets the slot; the caller closes the descriptor (which leaves the epoll set by itself). With `detach`, also
  // leaves the epoll set: for a descriptor that lives on elsewhere.
  void remove(std::uint32_t slot, int fd, bool detach = false);
  void modify(std::uint32_t slot, int fd, std::uint32_t events);

  // Calls on_ready() once, in this turn if its ready list has not run yet, else in the next. Being ready twice is being
  // ready once.
  void make_ready(Ready& r) {
    if (!r.linked()) ready_.push_back(r);
  }
  void set_timer(Timer& t, Nanos deadline) { wheel_.set(t, deadline); }
  void cancel_timer(Timer& t) { wheel_.cancel(t); }
  void destroy_later(std::unique_ptr<Deferred> d) { graveyard_.push_back(std::move(d)); }

  // Null: nothing is to be done. One at a time.
  void set_turn_end(TurnEnd* end) { turn_end_ = end; }

  // Runs the task on the loop's thread, in a later turn. Any thread.
  void post(std::function<void()> task);

  // Until stop(). stop() may come from any thread.
  void run();
  void stop();
  // One turn that waits at most `max_wait`.
  void turn(Nanos max_wait);
  // For nesting in another epoll set, and how long it may sleep before turn(0) is due.
  int descriptor() const { return epoll_; }
  Nanos next_deadline() const { return wheel_.wait(now_); }

  BlockPool& blocks() { return blocks_; }
  // Scratch for one read, and for heads on their way out; both free again when the reader's callback returns.
  static constexpr std::size_t kScratch = 256 * 1024;
  char* read_scratch() { return read_scratch_.get(); }

 private:
  struct Slot {
    IoHandler* handler = nullptr;
    std::uint32_t generation = 0;
  };
  void control(int operation, std::uint32_t slot, int fd, std::uint32_t events);
  void run_ready();
  void run_mail();

  const Clock& clock_;
  Nanos now_;
  Nanos wall_;
  std::uint64_t turns_ = 0;
  int epoll_;
  int wake_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  IntrusiveList<Ready> ready_;
  TimerWheel wheel_;
  TurnEnd* turn_end_ = nullptr;
  std::vector<std::unique_ptr<Deferred>> graveyard_;
  std::mutex mail_lock_;
  std::vector<std::function<void()>> mail_;
  std::atomic<bool> has_mail_{false};
  std::atomic<bool> stopping_{false};
  BlockPool blocks_;
  std::unique_ptr<char[]> read_scratch_;
};

}  // namespace albatross
