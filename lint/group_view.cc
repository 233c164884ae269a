#include "lint/group_view.h"

#include <cmath>

namespace albatross {
namespace {

std::string state_of(const ServerSlot& slot, Nanos now) {
  std::string out = "healthy";
  if (slot.health.load() == Health::kUnhealthy) out = "unhealthy";
  if (slot.health.load() == Health::kUnknown) out = "unchecked";
  if (slot.draining.load()) out += ", draining";
  if (const Nanos until = slot.ejected_until.load(); until > now) {
    out += ", ejected for another " + std::to_string((until - now + kSecond - 1) / kSecond) + " s";
  }
  return out;
}

double slow_start_of(const BalancerSettings& settings, const ServerSlot& slot, Nanos now) {
  const Nanos window = settings.slow_start.window, since = slot.slow_since.load();
  if (window == 0 || since == 0 || now >= since + window) return 1;
  return now <= since ? 0 : static_cast<double>(now - since) / static_cast<double>(window);
}

}  // namespace

GroupView view_of(const BalancerSettings& settings, const std::string& scheduler, GroupSlot& group,
                  std::vector<Candidate> candidates, std::shared_ptr<const HashTable> table,
                  const std::vector<std::string>& zones, bool fail_open, Nanos now) {
  GroupView view;
  view.scheduler = scheduler;
  view.fail_open = fail_open;
  Random random;
  Balancer balancer;
  balancer.update(settings, group, std::move(candidates), std::move(table), random);
  const Balancer::Preview preview =
      balancer.preview({.key = random.next(), .now = now, .tried = {}, .fail_open = fail_open});
  view.next = preview.next;
  for (std::size_t i = 0; i < balancer.candidates().size(); ++i) {
    const Candidate& c = balancer.candidates()[i];
    ServerView s;
    s.address = c.slot->address;
    s.zone = i < zones.size() ? zones[i] : "";
    s.state = state_of(*c.slot, now);
    s.weight = c.weight;
    s.backup = c.backup;
    s.slow_start = slow_start_of(settings, *c.slot, now);
    s.part = preview.parts[i];
    view.servers.push_back(std::move(s));
  }
  return view;
}

std::string scheduler_name(config::ServerGroup::Scheduler scheduler) {
  using S = config::ServerGroup::Scheduler;
  switch (scheduler) {
    case S::kWrr: return "wrr";
    case S::kWlc: return "wlc";
    case S::kP2c: return "p2c";
    case S::kHash: return "hash";
    case S::kSch: return "sch";
    case S::kUch: return "uch";
  }
  return {};
}

}  // namespace albatross
