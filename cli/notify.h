// Tells systemd, or whoever has set NOTIFY_SOCKET, what the process does (sd_notify(3)). Without that variable it does
// nothing. Main thread, except for notify(), which any thread may call.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>

#include "process/process.h"

namespace albatross::cli {

// Sends a message such as "READY=1". If it cannot be sent, an event is written, because the service manager waits for
// it.
void notify(const std::string& state);

// Sends the stages of the Process, and feeds the watchdog of WATCHDOG_USEC as long as all workers take their turns.
class Notifier {
 public:
  // `took_over`: systemd knows the process before this one as the main one.
  Notifier(Process& process, bool took_over);
  // The process serves.
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
