// When a time condition holds. Time zones come from the system's database (libdate-tz); without that library, only UTC
// is known. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"

namespace albatross {

// Why days and hours of that zone cannot be told; empty if they can.
std::string time_zone_error(const std::string& zone);

// Whether the window is open, `time` in seconds since 1970. This is the specification of the schedule below. Of a zone
// without an error.
bool is_open(const config::TimeWindow& window, std::int64_t time);

// "Thu 2026-11-26 18:05 Europe/Berlin": what its clocks show.
std::string local_time(const std::string& zone, std::int64_t time);

// The times at which a window opens and closes, worked out beforehand for some years, so that a request only looks them
// up. At other times the window itself is asked, which takes longer. Const after the constructor.
class TimeSchedule {
 public:
  static constexpr std::int64_t kSpan = std::int64_t{5} * 366 * 86400;

  TimeSchedule(const config::TimeWindow& window, std::int64_t from);
  bool is_open(std::int64_t time) const;
  const std::vector<std::int64_t>& edges() const { return edges_; }

 private:
  void take(std::int64_t time, bool open);

  config::TimeWindow window_;
  std::int64_t from_;
  bool open_at_first_ = false;
  std::vector<std::int64_t> edges_;  // the state changes at each
};

}  // namespace albatross
