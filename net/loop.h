// One thread's event loop: epoll, a ready list, a mailbox, a timer wheel and deferred destruction.
//
// A turn waits for events and then does, in this order: tells handlers of their events (IoHandler::on_io), runs the
// ready list, runs the mailbox, fires timers, calls the TurnEnd, and destroys deferred objects. An entry of the ready
// list does a bounded amount of work and makes itself ready again if some is left. The loop owns no handler, entry or
// timer. An object whose callback may be running is destroyed with destroy_later(). An event of a descriptor that was
// removed is dropped. Only post() and stop() may be called by other threads.
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

// Receives the epoll flags of one descriptor. It only records them: work belongs to the ready list.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  virtual void on_io(std::uint32_t events) = 0;
};

// Something with work to do. The loop does not own it; its destructor removes it from the ready list.
class Ready : public ListHook<Ready> {
 public:
  virtual ~Ready() = default;
  virtual void on_ready() = 0;
};

// Called at the end of a turn, after the ready list, the mailbox and the timers: writes what was gathered in it.
class TurnEnd {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEnd() = default;
};

// Base of objects that a loop may destroy at the end of a turn.
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

  // The times when this turn began (base/clock.h), and how many turns there were.
  Nanos now() const { return now_; }
  Nanos wall() const { return wall_; }
  std::uint64_t turns() const { return turns_; }

  // Registers a descriptor and its handler until remove(), and returns its slot. `events` as for epoll_ctl, with
  // EPOLLET for edges. The caller keeps the descriptor.
  std::uint32_t add(int fd, std::uint32_t events, IoHandler* handler);
  // Forgets the slot. The caller then closes the descriptor, which removes it from the epoll set, or passes `detach` if
  // the descriptor stays open.
  void remove(std::uint32_t slot, int fd, bool detach = false);
  // Replaces the events.
  void modify(std::uint32_t slot, int fd, std::uint32_t events);

  // Calls on_ready() once, in this turn if its ready list has not run yet, else in the next. Does nothing if `r` is
  // ready already.
  void make_ready(Ready& r) {
    if (!r.linked()) ready_.push_back(r);
  }
  // net/timer_wheel.h. `deadline` on the scale of now().
  void set_timer(Timer& t, Nanos deadline) { wheel_.set(t, deadline); }
  void cancel_timer(Timer& t) { wheel_.cancel(t); }
  // Destroys `d` at the end of the turn.
  void destroy_later(std::unique_ptr<Deferred> d) { graveyard_.push_back(std::move(d)); }

  // Sets the object that is called at the end of each turn, in place of the one before; null for none. It must outlive
  // the loop's turns.
  void set_turn_end(TurnEnd* end) { turn_end_ = end; }

  // Runs the task on the loop's thread, in this turn if its mailbox has not run yet, else in the next. Any thread.
  void post(std::function<void()> task);

  // Turns until stop(), which any thread may call.
  void run();
  void stop();
  // One turn that waits for events at most `max_wait`, rounded up to a millisecond.
  void turn(Nanos max_wait);
  // For a loop nested in another one: turn(0) is due when the descriptor becomes readable, and after next_deadline()
  // nanoseconds.
  int descriptor() const { return epoll_; }
  Nanos next_deadline() const { return wheel_.wait(now_); }

  BlockPool& blocks() { return blocks_; }
  // kScratch bytes for one read; free again when the bytes read have been handled.
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
