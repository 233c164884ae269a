#include "healthcheck/outlier.h"

#include <algorithm>

#include "base/timestamp.h"

namespace albatross {
namespace {

struct Sample {
  ServerSlot* slot = nullptr;
  std::uint32_t requests = 0, failures = 0;
  double latency = 0;  // seconds, the mean of those that did not fail
};

Sample take_sample(ServerSlot& slot) {
  Sample s;
  s.slot = &slot;
  s.requests = slot.window.requests.exchange(0, std::memory_order_relaxed);
  s.failures = slot.window.failures.exchange(0, std::memory_order_relaxed);
  std::uint64_t sum = slot.window.latency.exchange(0, std::memory_order_relaxed);
  if (s.requests > s.failures) s.latency = static_cast<double>(sum) / 1e6 / (s.requests - s.failures);
  return s;
}

double median_latency(const std::vector<Sample>& samples) {
  std::vector<double> all;
  for (const Sample& s : samples) {
    if (s.latency > 0) all.push_back(s.latency);
  }
  if (all.size() < 3) return 0;
  auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return *middle;
}

}  // namespace

void judge(const OutlierGroup& group, Nanos now, const OnEject& on_eject) {
  std::vector<Candidate> candidates;
  std::vector<Sample> samples;
  for (const auto& slot : group.servers) {
    candidates.push_back({slot.get()});
    Sample s = take_sample(*slot);
    if (s.requests >= group.check.min_requests) samples.push_back(s);
  }
  const double median = group.check.latency_factor != 0 ? median_latency(samples) : 0;
  for (const Sample& s : samples) {
    std::string why;
    if (group.check.failure_percent != 0 &&
        std::uint64_t{s.failures} * 100 >= std::uint64_t{s.requests} * group.check.failure_percent) {
      why = std::to_string(s.failures * std::uint64_t{100} / s.requests) + " % of " + std::to_string(s.requests) +
            " requests failed";
    } else if (median > 0 && s.latency > median * group.check.latency_factor) {
      why = "its answers took " + duration_text(static_cast<Nanos>(s.latency * 1e9)) + ", the group's " +
            duration_text(static_cast<Nanos>(median * 1e9));
    } else {
      continue;
    }
    if (!eject(group.check, candidates, *s.slot, now)) continue;
    s.slot->failed_in_row.store(false, std::memory_order_relaxed);
    s.slot->last_ejection = why;
    on_eject(*s.slot, why);
  }
}

struct Outliers::Watch {
  Watch(Outliers& o, OutlierGroup g) : owner(o), group(std::move(g)) { wait(); }
  ~Watch() { owner.loop_.cancel_timer(timer); }
  void wait() { owner.loop_.set_timer(timer, owner.loop_.now() + group.check.interval); }
  void on_timer() {
    judge(group, owner.loop_.now(), owner.on_eject_);
    wait();
  }
  Outliers& owner;
  OutlierGroup group;
  MemberTimer<Watch, &Watch::on_timer> timer{this};
};

Outliers::Outliers(Loop& loop, OnEject on_eject) : loop_(loop), on_eject_(std::move(on_eject)) {}
Outliers::~Outliers() = default;

void Outliers::update(std::vector<OutlierGroup> groups) {
  std::map<std::string, std::unique_ptr<Watch>> kept;
  for (OutlierGroup& g : groups) {
    auto it = watches_.find(g.name);
    std::string name = g.name;
    if (it != watches_.end()) {
      it->second->group = std::move(g);
      kept[name] = std::move(it->second);
    } else {
      kept[name] = std::make_unique<Watch>(*this, std::move(g));
    }
  }
  watches_ = std::move(kept);
}

}  // namespace albatross
