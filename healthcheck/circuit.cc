#include "healthcheck/circuit.h"

namespace albatross {
namespace {

void start_window(GroupSlot& group, Nanos now) {
  group.requests.store(0, std::memory_order_relaxed);
  group.failures.store(0, std::memory_order_relaxed);
  group.window_began.store(now, std::memory_order_relaxed);
}

}  // namespace

Admission admit(const Circuit& circuit, GroupSlot& group, Nanos now) {
  if (circuit.failure_percent == 0) return Admission::kYes;
  Nanos until = group.open_until.load(std::memory_order_relaxed);
  if (until == 0) return Admission::kYes;
  if (now < until) return Admission::kNo;
  return group.trial.exchange(true) ? Admission::kNo : Admission::kTrial;
}

CircuitChange record(const Circuit& circuit, GroupSlot& group, bool trial, bool failed, Nanos now) {
  if (trial) {
    if (!failed) start_window(group, now);
    group.open_until.store(failed ? now + circuit.open : 0);
    group.trial.store(false);
    return failed ? CircuitChange::kOpened : CircuitChange::kClosed;
  }
  if (group.open_until.load(std::memory_order_relaxed) != 0) return CircuitChange::kNone;  // began before it opened
  // Workers that run this at the same time at a window's end may count a request in the wrong window. That is accurate
  // enough.
  Nanos began = group.window_began.load(std::memory_order_relaxed);
  if (now >= began + circuit.window) start_window(group, now);
  std::uint32_t requests = group.requests.fetch_add(1, std::memory_order_relaxed) + 1;
  std::uint32_t failures = failed ? group.failures.fetch_add(1, std::memory_order_relaxed) + 1
                                  : group.failures.load(std::memory_order_relaxed);
  if (requests < circuit.min_requests ||
      std::uint64_t{failures} * 100 < std::uint64_t{requests} * circuit.failure_percent)
    return CircuitChange::kNone;
  Nanos closed = 0;
  if (!group.open_until.compare_exchange_strong(closed, now + circuit.open)) return CircuitChange::kNone;
  return CircuitChange::kOpened;
}

void abandon_trial(GroupSlot& group) { group.trial.store(false); }

}  // namespace albatross
