#include "routing/rules/time_window.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <optional>

#ifdef ALBATROSS_TIME_ZONES
#include <date/tz.h>
#endif

namespace albatross {
namespace {

constexpr std::int64_t kDay = 86400;

// A time during which the clocks of a zone are `offset` seconds ahead of UTC.
struct Span {
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  std::int64_t offset = 0;
};

#ifdef ALBATROSS_TIME_ZONES
Span span_at(const std::string& zone, std::int64_t time) {
  if (zone == "UTC") return {};
  const date::sys_info info = date::locate_zone(zone)->get_info(date::sys_seconds(std::chrono::seconds(time)));
  return {info.end.time_since_epoch().count(), info.offset.count()};
}
#else
Span span_at(const std::string&, std::int64_t) { return {}; }
#endif

std::int64_t day_of(std::int64_t local) { return local >= 0 ? local / kDay : (local - kDay + 1) / kDay; }

bool has_day(const config::TimeWindow& w, std::int64_t day) {
  const std::int64_t weekday = ((day + 4) % 7 + 7) % 7;  // 1970 began on a Thursday
  return (w.days >> weekday & 1) != 0;
}

bool is_open_locally(const config::TimeWindow& w, std::int64_t local) {
  const std::int64_t day = day_of(local), minute = (local - day * kDay) / 60;
  if (w.from < w.to) return has_day(w, day) && minute >= w.from && minute < w.to;
  return (has_day(w, day) && minute >= w.from) || (has_day(w, day - 1) && minute < w.to);
}

}  // namespace

std::string time_zone_error(const std::string& zone) {
  if (zone == "UTC") return {};
#ifdef ALBATROSS_TIME_ZONES
  try {
    date::locate_zone(zone);
    return {};
  } catch (const std::exception&) {  // the library's only way to say no; the first use also reads the database
    try {
      date::locate_zone("Etc/UTC");
    } catch (const std::exception&) {
      return "this machine has no time zone database";
    }
    return "there is no time zone \"" + zone.substr(0, 64) + "\"";
  }
#else
  return "this build knows no time zone but UTC";
#endif
}

bool is_open(const config::TimeWindow& window, std::int64_t time) {
  return is_open_locally(window, time + span_at(window.zone, time).offset);
}

std::string local_time(const std::string& zone, std::int64_t time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const auto local = static_cast<std::time_t>(time + span_at(zone, time).offset);
  std::tm t{};
  gmtime_r(&local, &t);
  char text[64];
  std::snprintf(text, sizeof text, "%s %04d-%02d-%02d %02d:%02d ", kDays[t.tm_wday], t.tm_year + 1900, t.tm_mon + 1,
                t.tm_mday, t.tm_hour, t.tm_min);
  return text + zone;
}

// Within a span of one offset the state changes only when a day, or the hours of one, begin or end.
TimeSchedule::TimeSchedule(const config::TimeWindow& window, std::int64_t from) : window_(window), from_(from) {
  open_at_first_ = albatross::is_open(window, from);
  for (std::int64_t at = from; at < from + kSpan;) {
    const Span span = span_at(window.zone, at);
    const std::int64_t end = std::min(span.end, from + kSpan);
    take(at, is_open_locally(window, at + span.offset));
    const std::uint16_t first = std::min(window.from, window.to), second = std::max(window.from, window.to);
    for (std::int64_t day = day_of(at + span.offset); day * kDay - span.offset < end; ++day) {
      for (const std::int64_t minute : {std::int64_t{0}, std::int64_t{first}, std::int64_t{second}}) {
        const std::int64_t local = day * kDay + minute * 60, time = local - span.offset;
        if (time > at && time < end) take(time, is_open_locally(window, local));
      }
    }
    at = end;
  }
}

void TimeSchedule::take(std::int64_t time, bool open) {
  if (open != (open_at_first_ != (edges_.size() % 2 == 1))) edges_.push_back(time);
}

bool TimeSchedule::is_open(std::int64_t time) const {
  if (time < from_ || time >= from_ + kSpan) return albatross::is_open(window_, time);
  const auto passed = std::upper_bound(edges_.begin(), edges_.end(), time) - edges_.begin();
  return open_at_first_ != (passed % 2 == 1);
}

}  // namespace albatross
