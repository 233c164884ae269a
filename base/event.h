// Events: what a process reports about itself, one line each, such as
// "2026-11-27T18:05:31.000123Z warning albatross: server … is unhealthy". Any thread.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"

namespace albatross {

enum class Level : std::uint8_t { kInfo, kWarning, kError };

// Takes an event's text, without its time.
using EventLog = std::function<void(Level, const std::string&)>;

// The line of an event, with its line end.
std::string event_line(Level level, const std::string& what, Nanos wall);
// Writes the line of an event that happens now to standard error.
void print_event(Level level, const std::string& what);

// Lets one event of a kind through every ten seconds, and counts the others. A value that its user owns; one thread.
class EventLimit {
 public:
  bool pass(Nanos now) {
    if (last_ != 0 && now - last_ < kGap) {
      ++held_;
      return false;
    }
    last_ = now;
    return true;
  }
  // How many were held back before the one that passed: " (12 more since the last one)", or "".
  std::string held();

 private:
  static constexpr Nanos kGap = 10 * kSecond;
  Nanos last_ = 0;
  std::uint64_t held_ = 0;
};

}  // namespace albatross
