// Windows of time: by known dates, and the worked-out schedule against the plain evaluation.
#include "routing/rules/time_window.h"

#include <random>

#include "base/timestamp.h"
#include "base/version.h"
#include "tests/support/catch.h"
#include "tests/unit/routing/routing_support.h"

using namespace albatross;
using namespace albatross::test;

namespace {

std::int64_t at(const std::string& text) {
  const auto time = parse_timestamp(text);
  REQUIRE(time);
  return static_cast<std::int64_t>(*time / kSecond);
}

bool zones_are_known() { return std::string_view(kWithout).find("time zones") == std::string_view::npos; }

config::TimeWindow window(std::uint8_t days, int from, int to, const std::string& zone = "UTC") {
  config::TimeWindow w;
  w.days = days;
  w.from = static_cast<std::uint16_t>(from);
  w.to = static_cast<std::uint16_t>(to);
  w.zone = zone;
  return w;
}

constexpr std::uint8_t kEveryDay = 0x7f, kFriday = 1 << 5, kSunday = 1, kOffice = 0x3e;

}  // namespace

TEST_CASE("a window is open on its days, from its first minute to before its last") {
  const auto w = window(kFriday, 9 * 60, 17 * 60 + 30);
  CHECK_FALSE(is_open(w, at("2026-11-27T08:59:59Z")));
  CHECK(is_open(w, at("2026-11-27T09:00Z")));
  CHECK(is_open(w, at("2026-11-27T17:29:59Z")));
  CHECK_FALSE(is_open(w, at("2026-11-27T17:30:00Z")));
  CHECK_FALSE(is_open(w, at("2026-11-28T10:00:00Z")));
  CHECK(is_open(window(kFriday, 0, 1440), at("2026-11-27T23:59:59Z")));
  CHECK_FALSE(is_open(window(kFriday, 0, 1440), at("2026-11-28T00:00:00Z")));
}

TEST_CASE("hours over midnight belong to the day on which they begin") {
  const auto w = window(kFriday, 22 * 60, 6 * 60);
  CHECK_FALSE(is_open(w, at("2026-11-27T05:00:00Z")));
  CHECK(is_open(w, at("2026-11-27T22:00:00Z")));
  CHECK(is_open(w, at("2026-11-28T05:59:59Z")));
  CHECK_FALSE(is_open(w, at("2026-11-28T06:00:00Z")));
  CHECK_FALSE(is_open(w, at("2026-11-28T22:00:00Z")));
}

TEST_CASE("a window goes by the clocks of its zone") {
  if (!zones_are_known()) SKIP("built without time zones");
  const auto office = window(kOffice, 9 * 60, 17 * 60, "Europe/Berlin");
  CHECK(is_open(office, at("2026-11-27T08:00:00Z")));  // winter: one hour ahead
  CHECK_FALSE(is_open(office, at("2026-11-27T16:00:00Z")));
  CHECK(is_open(office, at("2026-07-03T07:00:00Z")));  // summer: two
  CHECK_FALSE(is_open(office, at("2026-07-03T15:00:00Z")));
  CHECK(local_time("Europe/Berlin", at("2026-11-27T23:30:00Z")) == "Sat 2026-11-28 00:30 Europe/Berlin");
  // The hour that is left out in spring, and the one that comes twice in autumn.
  const auto night = window(kSunday, 2 * 60, 3 * 60, "Europe/Berlin");
  for (std::int64_t t = at("2026-03-28T20:00:00Z"); t < at("2026-03-29T20:00:00Z"); t += 600)
    CHECK_FALSE(is_open(night, t));
  CHECK(is_open(night, at("2026-10-25T00:00:00Z")));
  CHECK(is_open(night, at("2026-10-25T01:59:59Z")));
  CHECK_FALSE(is_open(night, at("2026-10-25T02:00:00Z")));
  const TimeSchedule schedule(night, at("2026-10-24T00:00:00Z"));
  CHECK(schedule.edges()[0] == at("2026-10-25T00:00:00Z"));
  CHECK(schedule.edges()[1] == at("2026-10-25T02:00:00Z"));
}

TEST_CASE("the schedule of a window says what the window says") {
  std::mt19937_64 random(11);
  const auto below = [&random](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  // Lord Howe's summer is half an hour, Apia once left out a day, Kathmandu is off by a quarter.
  std::vector<std::string> zones = {"UTC"};
  if (zones_are_known()) {
    zones.insert(zones.end(),
                 {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"});
  }
  for (int i = 0; i < 200; ++i) {
    const std::int64_t from = at("2011-06-01T00:00:00Z") + below(20LL * 365 * 86400);
    auto w = window(static_cast<std::uint8_t>(1 + below(127)), static_cast<int>(below(1440)),
                    static_cast<int>(1 + below(1440)), zones[static_cast<std::size_t>(below(zones.size()))]);
    if (w.from == w.to) w.to = 1440;
    if (i % 7 == 0) w.from = 0;
    const TimeSchedule schedule(w, from);
    INFO(*w.zone << " " << int{w.days} << " " << w.from << "-" << w.to << " from " << from);
    REQUIRE(schedule.edges().size() > 100);
    for (const std::int64_t edge : schedule.edges()) {
      REQUIRE(is_open(w, edge) == schedule.is_open(edge));
      REQUIRE(is_open(w, edge - 1) == schedule.is_open(edge - 1));
      REQUIRE(is_open(w, edge) != is_open(w, edge - 1));
    }
    for (int k = 0; k < 500; ++k) {
      const std::int64_t t =
          from - TimeSchedule::kSpan / 10 + below(static_cast<std::uint64_t>(TimeSchedule::kSpan) * 6 / 5);
      REQUIRE(is_open(w, t) == schedule.is_open(t));
    }
  }
}

TEST_CASE("a window that is always or never open has no edges") {
  CHECK(TimeSchedule(window(kEveryDay, 0, 1440), 1'000'000).edges().empty());
  CHECK(TimeSchedule(window(kEveryDay, 0, 1440), 1'000'000).is_open(2'000'000));
}

TEST_CASE("an unknown time zone is an error at its place") {
  config::Listener rules = listener({{when(window(kFriday, 0, 60, "Europe/Berlln"))}});
  rules.rules[0].conditions[0].time.zone = config::Value<std::string>("Europe/Berlln", {3, 7, 0});
  config::Diagnostics out("test.yaml", "");
  CHECK(RuleTable::compile(rules, "listeners[0]", out) == nullptr);
  REQUIRE(out.all().size() == 1);
  CHECK(out.all()[0].path == "listeners[0].rules[0].conditions[0].time.time_zone");
  CHECK(out.all()[0].at.line == 3);
  if (zones_are_known()) CHECK(out.all()[0].message == "there is no time zone \"Europe/Berlln\"");
}
