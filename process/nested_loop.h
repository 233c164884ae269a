// The control thread's own Loop, for probes and names. It is nested in the io_context through its descriptor: the
// io_context runs a turn when it has something to do. Owned by the Process; control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/loop.h"
#include "session/session_context.h"

namespace albatross {

class NestedLoop {
 public:
  NestedLoop(boost::asio::io_context& io, const Clock& clock)
      : clock_(clock), loop_(clock), sessions_(loop_), events_(io), timer_(io) {}
  ~NestedLoop() { events_.release(); }

  Loop& loop() { return loop_; }
  SessionContext& sessions() { return sessions_; }
  // From now on the loop runs a turn whenever it has something to do.
  void start() {
    events_.assign(loop_.descriptor());
    wait();
  }

 private:
  void wait();
  void turn();

  const Clock& clock_;
  Loop loop_;
  SessionContext sessions_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer timer_;
};

}  // namespace albatross
