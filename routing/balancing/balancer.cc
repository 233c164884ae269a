#include "routing/balancing/balancer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace albatross {
namespace {

constexpr Nanos kLatencyMemory = 10 * kSecond;
// Below this ratio a difference is noise, and weights decide.
constexpr double kWorthMoving = 2.0;
constexpr std::int64_t kNoTurn = std::numeric_limits<std::int64_t>::min();

std::uint32_t load_of(const Candidate& c) { return c.slot->load.load(std::memory_order_relaxed); }

// The count never exceeds the limit, not even briefly: a worker that finds it full relies on a request that will end.
bool count_one(std::atomic<std::uint32_t>& load, std::uint32_t most) {
  if (most == 0) {
    load.fetch_add(1);
    return true;
  }
  std::uint32_t now = load.load();
  while (now < most) {
    if (load.compare_exchange_weak(now, now + 1)) return true;
  }
  return false;
}

}  // namespace

void Balancer::update(const BalancerSettings& settings, GroupSlot& group, std::vector<Candidate> candidates,
                      std::shared_ptr<const HashTable> table, Random& random) {
  std::unordered_map<const ServerSlot*, std::size_t> before;
  for (std::size_t i = 0; i < candidates_.size(); ++i) before[candidates_[i].slot] = i;
  std::vector<std::int64_t> current(candidates.size(), kNoTurn);
  std::vector<Latency> latency(candidates.size());
  has_local_ = has_backup_ = false;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    has_local_ |= candidates[i].local;
    has_backup_ |= candidates[i].backup;
    auto it = before.find(candidates[i].slot);
    if (it == before.end()) continue;
    current[i] = current_[it->second];
    latency[i] = latency_[it->second];
  }
  settings_ = &settings;
  group_ = &group;
  random_ = &random;
  candidates_ = std::move(candidates);
  current_ = std::move(current);
  latency_ = std::move(latency);
  refresh(std::move(table));
  place_turns();
}

// Gives new candidates a random place in the round, so that many workers do not begin with the same server. The sum
// over all candidates is 0.
void Balancer::place_turns() {
  std::int64_t sum = 0;
  std::size_t fresh = 0;
  for (std::size_t i = 0; i < current_.size(); ++i) {
    if (current_[i] == kNoTurn) {
      current_[i] = static_cast<std::int64_t>(random_->below(std::uint64_t{candidates_[i].weight} * kWhole + 1));
      ++fresh;
    }
    sum += current_[i];
  }
  if (current_.empty() || (fresh == 0 && sum == 0)) return;
  const std::int64_t mean = sum / static_cast<std::int64_t>(current_.size());
  for (std::int64_t& turn : current_) turn -= mean;
  current_.back() -= sum - mean * static_cast<std::int64_t>(current_.size());
}

void Balancer::refresh(std::shared_ptr<const HashTable> table) {
  table_ = std::move(table);
  sums_.clear();
  std::uint64_t sum = 0;
  local_weight_ = 0;
  for (Candidate& c : candidates_) {
    c.weight = c.slot->weight.load(std::memory_order_relaxed);
    if (c.local && !c.backup) local_weight_ += c.weight;
    sums_.push_back(sum += c.weight);
  }
}

// False if another worker has taken its last room.
bool Balancer::count(int i, Counted& counted) {
  const Candidate& c = candidates_[static_cast<std::size_t>(i)];
  if (!settings_->counts_load()) return true;
  return counted.server = count_one(c.slot->load, c.max_requests);
}

int Balancer::take(const Ask& ask, Counted& counted, int wanted) {
  counted = {};
  const std::uint32_t most = settings_->max_requests;
  if (most != 0 && group_->load.load() >= most) return kFull;
  int i = kNone;
  if (wanted >= 0) {
    const Candidate& c = candidates_[static_cast<std::size_t>(wanted)];
    if (c.weight > 0 && c.slot->usable(ask.now) && fits(c) && count(wanted, counted)) i = wanted;
  }
  while (i < 0) {
    i = pick(ask);
    if (i < 0) return i;
    if (!count(i, counted)) i = kNone;
  }
  if (most == 0) return i;
  counted.group = count_one(group_->load, most);
  if (counted.group) return i;
  if (counted.server) candidates_[static_cast<std::size_t>(i)].slot->load.fetch_sub(1);
  counted = {};
  return kFull;
}

void Balancer::give_back(ServerSlot& server, GroupSlot& group, Counted counted) {
  if (counted.group) group.load.fetch_sub(1);
  if (counted.server) server.load.fetch_sub(1);
}

// Peak-EWMA: rises at once, falls gradually.
void Balancer::answered(int i, Nanos latency, Nanos now) {
  if (settings_->scheduler != Scheduler::kTwoChoices || latency == 0) return;
  Latency& l = latency_[static_cast<std::size_t>(i)];
  double sample = static_cast<double>(latency);
  if (sample >= l.ewma) {
    l.ewma = sample;
  } else {
    double keep = std::exp(-static_cast<double>(now - l.at) / static_cast<double>(kLatencyMemory));
    l.ewma = l.ewma * keep + sample * (1 - keep);
  }
  l.at = now;
}

// ---- the predicate ----

bool Balancer::fits(const Candidate& c) const {
  return (c.max_requests == 0 || load_of(c) < c.max_requests) && (c.room == nullptr || c.room->has_room());
}

bool Balancer::eligible(std::size_t i, Tier tier, const Ask& ask, bool again) {
  const Candidate& c = candidates_[i];
  if (c.weight == 0) return false;
  switch (tier) {
    case Tier::kLocal:
      if (!c.local) return false;
      [[fallthrough]];
    case Tier::kPrimary:
      if (c.backup || !c.slot->usable(ask.now)) return false;
      break;
    case Tier::kBackup:
      if (!c.backup || !c.slot->usable(ask.now)) return false;
      break;
    case Tier::kAny:
      if (c.slot->draining.load(std::memory_order_relaxed)) return false;
      break;
  }
  if (!again && std::find(ask.tried.begin(), ask.tried.end(), c.slot) != ask.tried.end()) return false;
  if (fits(c)) return true;
  full_ = true;
  return false;
}

bool Balancer::any_usable(Nanos now) const {
  return std::any_of(candidates_.begin(), candidates_.end(),
                     [now](const Candidate& c) { return c.weight > 0 && c.slot->usable(now); });
}

// The part of its weight that a server has in slow start; kWhole is all of it.
std::uint32_t Balancer::share(const Candidate& c, Nanos now) const {
  if (settings_->slow_start.window == 0) return kWhole;
  Nanos since = c.slot->slow_since.load(std::memory_order_relaxed);
  if (since == 0 || now >= since + settings_->slow_start.window) return kWhole;
  double t = now <= since ? 0 : static_cast<double>(now - since) / static_cast<double>(settings_->slow_start.window);
  if (settings_->slow_start.curve == SlowStart::Curve::kSquare) t *= t;
  if (settings_->slow_start.curve == SlowStart::Curve::kRoot) t = std::sqrt(t);
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(t * kWhole));
}

bool Balancer::over_load(std::size_t i) const {
  std::uint64_t total = 1;
  for (const Candidate& c : candidates_) total += load_of(c);
  std::uint64_t weight = sums_.back();
  // ceil(max_load % of its share of all requests in flight, this one included)
  std::uint64_t most = (total * candidates_[i].weight * settings_->max_load + weight * 100 - 1) / (weight * 100);
  return load_of(candidates_[i]) >= most;
}

// All requests stay in the local zone while 5/7 of its weight is usable; below that, more go elsewhere the less is
// usable. Each usable server may get up to 1.4 times its part: a zone of three that lost one keeps 93 % of its traffic.
std::uint64_t Balancer::local_permille(Nanos now) const {
  if (local_weight_ == 0) return 0;
  std::uint64_t usable = 0;
  for (const Candidate& c : candidates_) {
    if (c.local && !c.backup && c.slot->usable(now)) usable += c.weight;
  }
  return std::min<std::uint64_t>(1000, 1400 * usable / local_weight_);
}

bool Balancer::stays_local(const Ask& ask) {
  const std::uint64_t permille = local_permille(ask.now);
  return permille == 1000 || random_->below(1000) < permille;
}

// ---- the orders ----

template <class Ok>
int Balancer::round_robin(Nanos now, Ok ok) {
  int best = -1;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (!ok(static_cast<int>(i))) continue;
    std::int64_t weight = std::int64_t{candidates_[i].weight} * share(candidates_[i], now);
    current_[i] += weight;
    total += weight;
    if (best < 0 || current_[i] > current_[static_cast<std::size_t>(best)]) best = static_cast<int>(i);
  }
  if (best >= 0) current_[static_cast<std::size_t>(best)] -= total;
  return best;
}

// Round robin among those with the least load.
template <class Ok>
int Balancer::least(Nanos now, Ok ok) {
  if (candidates_.size() > kScan) {
    int a = sampled(now, ok), b = sampled(now, ok);
    if (a < 0 || b < 0 || a == b) return a;
    auto busier = [&](int x, int y) {  // load by weight
      const Candidate &cx = candidates_[static_cast<std::size_t>(x)], &cy = candidates_[static_cast<std::size_t>(y)];
      return std::uint64_t{load_of(cx)} * cy.weight * share(cy, now) >
             std::uint64_t{load_of(cy)} * cx.weight * share(cx, now);
    };
    return busier(a, b) ? b : a;
  }
  struct Ratio {
    std::uint64_t load, weight;
  };
  std::array<Ratio, kScan> seen;
  int best = -1;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    seen[i] = {0, 0};
    if (!ok(static_cast<int>(i))) continue;
    seen[i] = {load_of(candidates_[i]), std::uint64_t{candidates_[i].weight} * share(candidates_[i], now)};
    if (best < 0 || seen[i].load * seen[static_cast<std::size_t>(best)].weight <
                        seen[static_cast<std::size_t>(best)].load * seen[i].weight) {
      best = static_cast<int>(i);
    }
  }
  if (best < 0) return best;
  Ratio low = seen[static_cast<std::size_t>(best)];
  return round_robin(now, [&](int i) {
    const Ratio& r = seen[static_cast<std::size_t>(i)];
    return r.weight != 0 && r.load * low.weight == low.load * r.weight;
  });
}

// Picks one at random, by weight.
template <class Ok>
int Balancer::sampled(Nanos now, Ok ok) {
  if (sums_.empty() || sums_.back() == 0) return -1;
  for (int n = 0; n < 8; ++n) {
    auto at = std::upper_bound(sums_.begin(), sums_.end(), random_->below(sums_.back()));
    int i = static_cast<int>(at - sums_.begin());
    if (ok(i) && random_->below(kWhole) < share(candidates_[static_cast<std::size_t>(i)], now)) return i;
  }
  return round_robin(now, ok);  // few are left
}

double Balancer::cost(int i) const {
  const Candidate& c = candidates_[static_cast<std::size_t>(i)];
  double mean = static_cast<double>(sums_.back()) / static_cast<double>(candidates_.size());
  double latency = std::max(latency_[static_cast<std::size_t>(i)].ewma, 1.0);
  return latency * (load_of(c) * mean / c.weight + 1);
}

template <class Ok>
int Balancer::two_choices(Nanos now, Ok ok) {
  int a = sampled(now, ok), b = sampled(now, ok);
  if (a < 0 || b < 0 || a == b) return a;
  // The latency of one that has not answered yet is unknown, not 0.
  if (latency_[static_cast<std::size_t>(a)].at == 0 || latency_[static_cast<std::size_t>(b)].at == 0) return a;
  return cost(b) * kWorthMoving < cost(a) ? b : a;
}

template <class Ok>
int Balancer::hashed(const Ask& ask, Ok ok) {
  if (!table_) return round_robin(ask.now, ok);
  // In slow start a server gets the same keys each time, and gradually more of them.
  int i = table_->pick(ask.key, [&](int k) {
    if (!ok(k)) return false;
    const Candidate& c = candidates_[static_cast<std::size_t>(k)];
    if (next_key(ask.key ^ static_cast<std::uint64_t>(k)) % kWhole >= share(c, ask.now)) return false;
    return settings_->max_load == 0 || !over_load(static_cast<std::size_t>(k));
  });
  return i >= 0 ? i : table_->pick(ask.key, ok);
}

// ---- the choice ----

int Balancer::pick_in(Tier tier, const Ask& ask, bool again) {
  auto ok = [&](int i) { return eligible(static_cast<std::size_t>(i), tier, ask, again); };
  switch (settings_->scheduler) {
    case Scheduler::kLeastOutstanding: return least(ask.now, ok);
    case Scheduler::kTwoChoices: return two_choices(ask.now, ok);
    case Scheduler::kHash: return hashed(ask, ok);
    default: return round_robin(ask.now, ok);
  }
}

int Balancer::pick(const Ask& ask) {
  full_ = false;
  for (bool again : {false, true}) {
    if (again && ask.tried.empty()) break;
    int i = -1;
    if (settings_->local_first && has_local_ && stays_local(ask)) i = pick_in(Tier::kLocal, ask, again);
    if (i < 0) i = pick_in(Tier::kPrimary, ask, again);
    if (i < 0 && has_backup_ && !full_) i = pick_in(Tier::kBackup, ask, again);
    if (i >= 0) return i;
    if (full_) return kFull;
  }
  if (!ask.fail_open) return kNone;
  int i = pick_in(Tier::kAny, ask, false);
  if (i < 0 && !full_ && !ask.tried.empty()) i = pick_in(Tier::kAny, ask, true);
  return i >= 0 ? i : full_ ? kFull : kNone;
}

Balancer::Preview Balancer::preview(const Ask& ask) const {
  Balancer copy = *this;
  Random random = *random_;
  copy.random_ = &random;
  Preview out;
  out.parts.resize(candidates_.size());
  // The parts of a tier by weight; false if nobody is in it.
  const auto add = [&](Tier tier, double of_all) {
    std::vector<double> weights(candidates_.size());
    double sum = 0;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (!copy.eligible(i, tier, ask, true)) continue;
      sum += weights[i] = static_cast<double>(candidates_[i].weight) * share(candidates_[i], ask.now);
    }
    for (std::size_t i = 0; sum > 0 && i < weights.size(); ++i) out.parts[i] += of_all * weights[i] / sum;
    return sum > 0;
  };
  const double local = settings_->local_first && has_local_ ? static_cast<double>(local_permille(ask.now)) / 1000 : 0.0;
  const double rest = local > 0 && add(Tier::kLocal, local) ? 1 - local : 1;
  if (rest > 0 && !add(Tier::kPrimary, rest) && !(has_backup_ && add(Tier::kBackup, rest)) && ask.fail_open) {
    add(Tier::kAny, rest);
  }
  out.next = copy.pick(ask);
  return out;
}

}  // namespace albatross
