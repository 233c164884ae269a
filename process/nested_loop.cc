#include "process/nested_loop.h"

#include <algorithm>
#include <chrono>

namespace albatross {

void NestedLoop::wait() {
  events_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code ec) {
    if (ec) return;
    turn();
    wait();
  });
  turn();
}

void NestedLoop::turn() {
  loop_.turn(0);
  Nanos wait = std::min<Nanos>(loop_.next_deadline(), 3600 * kSecond);
  if (!clock_.runs()) wait = std::min<Nanos>(wait, 5 * kMilli);
  timer_.expires_after(std::chrono::nanoseconds(wait));
  timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec) turn();
  });
}

}  // namespace albatross
