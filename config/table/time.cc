#include "config/table/time.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

constexpr std::string_view kDays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr const char* kDaysHint = "write days like [mon, wed] or mon-fri";
constexpr const char* kHoursHint = "write hours like \"09:00-17:30\"; the end is not part of them, 24:00 is midnight";

std::optional<unsigned> day_of(std::string_view text) {
  const auto* const found = std::find(std::begin(kDays), std::end(kDays), ascii_lower(text));
  if (found == std::end(kDays)) return std::nullopt;
  return static_cast<unsigned>(found - std::begin(kDays));
}

// Adds "mon", or "fri-mon" with the days between; false if it is neither.
bool add_days(std::string_view text, std::uint8_t& days) {
  const std::size_t dash = text.find('-');
  const auto first = day_of(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : day_of(text.substr(dash + 1));
  if (!first || !last) return false;
  for (unsigned day = *first;; day = (day + 1) % 7) {
    days = static_cast<std::uint8_t>(days | 1U << day);
    if (day == *last) return true;
  }
}

Type<std::uint8_t> days() {
  const std::string day = "(sun|mon|tue|wed|thu|fri|sat)";
  const Json item = pattern_schema("^" + day + "(-" + day + ")?$");
  TypeInfo info{"day, days such as mon-fri, or list", {}, {}};
  info.schema = {{"anyOf", {item, {{"type", "array"}, {"items", item}, {"minItems", 1}}}}};
  return {std::move(info), [](Decoder& d, const Node& node, std::uint8_t& out) {
            const bool several = node.kind == Node::Kind::kSequence;
            if (several && node.items.empty()) {
              d.error(node.at, "the list of days is empty", "leave days out for every day");
              return false;
            }
            out = 0;
            for (std::size_t i = 0; i < (several ? node.items.size() : 1); ++i) {
              const Node& one = several ? node.items[i] : node;
              const auto text = d.text(one);
              if (!text) return false;
              if (add_days(*text, out)) continue;
              d.error(one.at, "\"" + text->substr(0, 64) + "\" is no day", kDaysHint);
              return false;
            }
            return true;
          }};
}

// Minutes of "17:30"; 24:00 is the end of the day.
std::optional<std::uint16_t> minutes(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0U, 1U, 3U, 4U}) {
    if (!is_digit(text[i])) return std::nullopt;
  }
  const int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
  if (minute > 59 || hour * 60 + minute > 1440) return std::nullopt;
  return static_cast<std::uint16_t>(hour * 60 + minute);
}

Type<TimeWindow> hours() {
  return {{"text", {}, pattern_schema("^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$")},
          [](Decoder& d, const Node& node, TimeWindow& out) {
            const auto text = d.text(node);
            if (!text) return false;
            const std::size_t dash = text->find('-');
            const auto from = minutes(std::string_view(*text).substr(0, dash));
            const auto to =
                dash == std::string::npos ? std::nullopt : minutes(std::string_view(*text).substr(dash + 1));
            if (!from || !to || *from == 1440) {
              d.error(node.at, "\"" + text->substr(0, 64) + "\" are no hours of a day", kHoursHint);
              return false;
            }
            if (*from == *to) {
              d.error(node.at, "the hours end when they begin", "leave hours out for the whole day");
              return false;
            }
            out.from = *from;
            out.to = *to;
            return true;
          }};
}

TimeWindow& itself(TimeWindow& window) { return window; }

}  // namespace

const Object<TimeWindow>& time_condition() {
  static const Object<TimeWindow> table = [] {
    Object<TimeWindow> t("time_condition", "A condition on the time at which the request begins.");
    t.field("days", &TimeWindow::days, days(), "The days of the week.").otherwise("every day");
    t.field(
         "hours", itself, hours(),
         "From one time of the day to another, such as `\"09:00-17:30\"`; the end is not part of it. `\"22:00-06:00\"` "
         "goes on to the next morning and belongs to the day on which it begins.")
        .otherwise("the whole day");
    t.field("time_zone", &TimeWindow::zone, text(), "The time zone of days and hours, such as `Europe/Berlin`.");
    t.also([](Decoder& d, const Node& node, TimeWindow&) {
      if (node.find("days") != nullptr || node.find("hours") != nullptr) return true;
      d.error(node.at, "the condition always holds", "add days or hours");
      return false;
    });
    return t;
  }();
  return table;
}

}  // namespace albatross::config
