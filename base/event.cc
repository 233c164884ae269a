#include "base/event.h"

#include <iostream>
#include <utility>

#include "base/timestamp.h"

namespace albatross {

std::string event_line(Level level, const std::string& what, Nanos wall) {
  const char* word = level == Level::kError ? "error" : level == Level::kWarning ? "warning" : "info";
  return std::string(Timestamp().text(wall)) + " " + word + " albatross: " + what + "\n";
}

void print_event(Level level, const std::string& what) { std::cerr << event_line(level, what, Clock().wall()); }

std::string EventLimit::held() {
  const std::uint64_t n = std::exchange(held_, 0);
  return n == 0 ? "" : " (" + std::to_string(n) + " more since the last one)";
}

}  // namespace albatross
