#include "healthcheck/health_state.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

namespace albatross::healthcheck_test {
namespace {

// '+' a good probe, '-' a bad one; returns the states after each: 'h', 'u', upper case where it changed.
std::string observed(HealthState& s, std::string_view probes, std::uint32_t up, std::uint32_t down) {
  std::string out;
  for (char c : probes) {
    bool changed = s.observe(c == '+', up, down);
    char state = s.health == Health::kHealthy ? 'h' : s.health == Health::kUnhealthy ? 'u' : '?';
    out += changed ? static_cast<char>(state - 32) : state;
  }
  return out;
}

}  // namespace

TEST_CASE("the first observation alone decides the first state") {
  HealthState s;
  CHECK(s.health == Health::kUnknown);
  CHECK(observed(s, "+", 3, 3) == "H");
  HealthState t;
  CHECK(observed(t, "-", 3, 3) == "U");
}

TEST_CASE("a state flips after as many observations in a row as its threshold says") {
  struct Case {
    const char *probes, *states;
    std::uint32_t up, down;
  };
  for (const Case& c : {Case{"+---", "HhhU", 3, 3},
                        {"-+++", "UuuH", 3, 3},
                        {"+--+---", "HhhhhhU", 3, 3},
                        {"-++-+++", "UuuuuuH", 3, 3},
                        {"+-+-", "HUHU", 1, 1},
                        {"+--++", "HhUuH", 2, 2},
                        {"+-++++-", "HUuuuHU", 4, 1},
                        {"-+------+", "UHhhhhUuH", 1, 5},
                        {"+----++++----", "HhhUuuuuHhhUu", 4, 3}}) {
    CAPTURE(c.probes, c.up, c.down);
    HealthState s;
    CHECK(observed(s, c.probes, c.up, c.down) == c.states);
  }
}

TEST_CASE("a good observation in between starts the count anew") {
  HealthState s;
  observed(s, "+", 3, 3);
  for (int i = 0; i < 100; ++i) CHECK(observed(s, "--+", 3, 3) == "hhh");
  CHECK(observed(s, "---", 3, 3) == "hhU");
}

}  // namespace albatross::healthcheck_test
