// Tells systemd, or whoever has set NOTIFY_SOCKET, what the process does (sd_notify(3)). Without that variable it does
// nothing. Main thread, but for notify(), which any thread may call.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>

#include "process/process.h"

namespace albatross::cli {

// Sends "READY=1" and its like. A message that cannot be sent is an event: the service manager would wait in vain.
void notify(const std::string& state);

// Notifies of what the Process does, and feeds the watchdog of WATCHDOG_USEC as long as all workers take their turns.
class Notifier {
 public:
  // `took_over`: systemd knows the process before this one as the main one.
  Notifier(Process& process, bool took_over);
  // It serves.
  void ready();
  // For ProcessOptions::stage.
  static void stage(ProcessStage stage);

 private:
  void feed();
  Process& process_;
  bool took_over_;
  std::chrono::microseconds period_{0};  // 0: there is no watchdog
  boost::asio::steady_timer timer_;
};

}  // namespace albatross::cli
