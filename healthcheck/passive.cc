#include "healthcheck/passive.h"

#include <algorithm>

namespace albatross {
namespace {

constexpr std::uint32_t kMostBackOff = 10;

bool may_eject(const PassiveCheck& check, std::span<const Candidate> candidates, Nanos now) {
  if (candidates.size() < 2) return false;
  std::size_t ejected = 1;  // this one
  for (const Candidate& c : candidates) ejected += c.slot->ejected_until.load(std::memory_order_relaxed) > now;
  return ejected <= std::max<std::size_t>(1, candidates.size() * check.max_ejected / 100);
}

}  // namespace

bool eject(const PassiveCheck& check, std::span<const Candidate> candidates, ServerSlot& s, Nanos now) {
  Nanos until = s.ejected_until.load(std::memory_order_relaxed);
  if (until > now || !may_eject(check, candidates, now)) return false;
  // Only one of the workers that see the last failure ejects.
  std::uint32_t times =
      now > until + kMostBackOff * check.ejection ? 1 : std::min(s.ejections.load() + 1, kMostBackOff);
  Nanos next = now + times * check.ejection;
  if (!s.ejected_until.compare_exchange_strong(until, next)) return false;
  s.ejections.store(times);
  s.failures.store(0, std::memory_order_relaxed);
  s.slow_since.store(next, std::memory_order_relaxed);
  return true;
}

bool observe(const PassiveCheck& check, std::span<const Candidate> candidates, std::size_t i, bool failed, Nanos now) {
  ServerSlot& s = *candidates[i].slot;
  if (!failed) {
    if (s.failures.load(std::memory_order_relaxed) != 0) s.failures.store(0, std::memory_order_relaxed);
    return false;
  }
  if (s.failures.fetch_add(1, std::memory_order_relaxed) + 1 < check.failures) return false;
  if (!eject(check, candidates, s, now)) return false;
  s.failed_in_row.store(true, std::memory_order_relaxed);
  return true;
}

}  // namespace albatross
