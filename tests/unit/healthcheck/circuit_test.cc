#include "healthcheck/circuit.h"

#include <catch2/catch_test_macros.hpp>

namespace albatross::healthcheck_test {
namespace {

struct Breaker {
  GroupSlot group;
  Circuit circuit{50, 10, 10 * kSecond, 5 * kSecond};
  Nanos now = 1000 * kSecond;

  CircuitChange end(bool failed, bool trial = false) { return record(circuit, group, trial, failed, now); }
  Admission ask() { return admit(circuit, group, now); }
  void open() {
    for (int i = 0; i < 9; ++i) REQUIRE(end(true) == CircuitChange::kNone);
    REQUIRE(end(true) == CircuitChange::kOpened);
  }
};

}  // namespace

TEST_CASE("a group that fails too large a share of enough requests is left alone") {
  Breaker b;
  for (int i = 0; i < 9; ++i) CHECK(b.end(i % 2 == 0) == CircuitChange::kNone);
  CHECK(b.ask() == Admission::kYes);
  CHECK(b.end(true) == CircuitChange::kOpened);
  CHECK(b.ask() == Admission::kNo);
  CHECK(b.end(true) == CircuitChange::kNone);  // it began before
}

TEST_CASE("failures that are few, or of another window, do not open it") {
  Breaker b;
  for (int i = 0; i < 1000; ++i) CHECK(b.end(i % 3 == 0) == CircuitChange::kNone);
  b.now += 11 * kSecond;
  for (int i = 0; i < 9; ++i) CHECK(b.end(true) == CircuitChange::kNone);
  b.now += 11 * kSecond;
  CHECK(b.end(true) == CircuitChange::kNone);
}

TEST_CASE("one request tries, and decides for the others") {
  Breaker b;
  b.open();
  b.now += 5 * kSecond;
  CHECK(b.ask() == Admission::kTrial);
  CHECK(b.ask() == Admission::kNo);
  CHECK(b.end(true, true) == CircuitChange::kOpened);
  CHECK(b.ask() == Admission::kNo);
  b.now += 5 * kSecond;
  CHECK(b.ask() == Admission::kTrial);
  abandon_trial(b.group);  // its client left: another one tries
  CHECK(b.ask() == Admission::kTrial);
  CHECK(b.end(false, true) == CircuitChange::kClosed);
  CHECK(b.ask() == Admission::kYes);
  CHECK(b.end(true) == CircuitChange::kNone);  // the count begins anew
}

}  // namespace albatross::healthcheck_test
