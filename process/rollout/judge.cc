#include "process/rollout/judge.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace albatross {
namespace {

// The chances of a false alarm, which make one in a hundred together.
constexpr double kErrorsAlarm = 0.004, kSlowAlarm = 0.003, kMetricsAlarm = 0.003;

Counter GroupStats::*counter_of(const std::string& metric) {
  static const std::pair<const char*, Counter GroupStats::*> kAll[] = {
      {"albatross_circuit_opened_total", &GroupStats::circuit_opened},
      {"albatross_circuit_refused_total", &GroupStats::circuit_refused},
      {"albatross_no_server_total", &GroupStats::no_server},
      {"albatross_queue_refused_total", &GroupStats::queue_refused},
      {"albatross_queue_timeouts_total", &GroupStats::queue_timeouts},
      {"albatross_queued_total", &GroupStats::queued},
      {"albatross_upstream_connect_failures_total", &GroupStats::connect_failures},
      {"albatross_upstream_retries_over_budget_total", &GroupStats::retries_over_budget},
      {"albatross_upstream_retries_total", &GroupStats::retries},
  };
  for (const auto& [name, counter] : kAll) {
    if (metric == name) return counter;
  }
  return nullptr;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", value < 10 ? 2 : value < 100 ? 1 : 0, value);
  std::string out = text;
  if (out.find('.') != std::string::npos) {
    out.resize(out.find_last_not_of('0') + 1);
    if (out.ends_with('.')) out.pop_back();
  }
  return out;
}

std::string share(std::uint64_t events, std::uint64_t requests) {
  const double percent = requests == 0 ? 0 : 100.0 * static_cast<double>(events) / static_cast<double>(requests);
  return std::to_string(events) + " of " + std::to_string(requests) + " requests (" + number(percent) + " %)";
}

std::string milliseconds(Nanos duration) { return number(static_cast<double>(duration) / 1e6) + " ms"; }

}  // namespace

Nanos Judge::Arm::p99() const {
  std::uint64_t all = 0;
  for (const std::uint64_t n : head_times) all += n;
  if (all == 0) return 0;
  std::uint64_t left = all / 100;  // that may be slower
  std::size_t i = ArmStats::kBuckets - 1;
  for (; i > 0 && head_times[i] <= left; --i) left -= head_times[i];
  return ArmStats::least_of(std::min(i + 1, ArmStats::kBuckets - 1));
}

std::optional<Nanos> bound_of_p99(const Judge::Arm& arm) {
  constexpr double kConfidence = 2.33;  // of a normal distribution
  std::uint64_t all = 0;
  for (const std::uint64_t n : arm.head_times) all += n;
  const double slower = 0.01 * static_cast<double>(all);
  const double least = slower - kConfidence * std::sqrt(slower);
  if (least < 1) return std::nullopt;
  auto left = static_cast<std::uint64_t>(least);
  std::size_t i = ArmStats::kBuckets - 1;
  for (; i > 0 && arm.head_times[i] <= left; --i) left -= arm.head_times[i];
  return ArmStats::least_of(std::min(i + 1, ArmStats::kBuckets - 1));
}

Judge::Judge(const config::Rollout& plan, const std::string& rule, const std::vector<std::string>& groups,
             StatsRegistry& stats)
    : to_(plan.to),
      errors_factor_(plan.abort_if.errors),
      p99_factor_(plan.abort_if.p99),
      minimum_(plan.minimum),
      workers_(stats.workers()),
      errors_(std::max(errors_factor_, 1.1), kErrorsAlarm),
      slow_(kSlowAlarm) {
  for (const std::string& group : groups) {
    const int arm = group == to_ ? 1 : 0;
    arms_[arm].push_back(stats.arm(rule + " " + group));
    groups_[arm].push_back(stats.group(group));
  }
  const auto& metrics = plan.abort_if.metrics;
  for (const auto& [name, factor] : metrics) {
    if (factor == 0) continue;  // off
    RatioTest test(factor, kMetricsAlarm / static_cast<double>(metrics.size()));
    metrics_.push_back({*name, factor, counter_of(*name), test, {}});
  }
  begin_step();
}

Judge::Arm Judge::total(int arm) const {
  Arm out;
  for (const ArmStatsRef& ref : arms_[arm]) {
    for (int w = 0; w < workers_; ++w) {
      const ArmStats& s = ref->of(w);
      const std::uint64_t withdrawn = s.withdrawn.get();  // read first, so that it is not more than the requests
      out.requests += s.requests.get() - withdrawn;
      out.failures += s.failures.get();
      for (std::size_t i = 0; i < ArmStats::kBuckets; ++i) out.head_times[i] += s.head_times[i].get();
    }
  }
  return out;
}

ArmCount Judge::total(int arm, const Metric& m) const {
  ArmCount out;
  for (const GroupStatsRef& ref : groups_[arm]) {
    for (int w = 0; w < workers_; ++w) {
      out.requests += ref->of(w).in_flight_started.get();
      out.events += (ref->of(w).*m.counter).get();
    }
  }
  return out;
}

void Judge::begin_step() {
  errors_.next_step();
  slow_.next_step();
  for (int arm : {0, 1}) {
    base_[arm] = total(arm);
    now_[arm] = {};
  }
  slow_base_ = {};
  for (Metric& m : metrics_) {
    m.test.next_step();
    for (int arm : {0, 1}) m.base[arm] = total(arm, m);
  }
}

std::string Judge::look() {
  for (int arm : {0, 1}) {
    now_[arm] = total(arm);
    now_[arm].requests -= base_[arm].requests;
    now_[arm].failures -= base_[arm].failures;
    for (std::size_t i = 0; i < ArmStats::kBuckets; ++i) now_[arm].head_times[i] -= base_[arm].head_times[i];
  }
  std::string why = look_at_errors();
  if (why.empty() && now_[1].requests >= minimum_) why = look_at_p99();
  for (std::size_t i = 0; i < metrics_.size() && why.empty() && now_[1].requests >= minimum_; ++i)
    why = look_at(metrics_[i]);
  return why;
}

std::string Judge::look_at_errors() {
  if (errors_factor_ == 0) return {};
  errors_.see({now_[0].requests, now_[0].failures}, {now_[1].requests, now_[1].failures});
  if (!errors_.is_certain()) return {};
  const ArmCount &news = errors_.new_arm(), &olds = errors_.old_arm();
  return to_ + " failed " + share(news.events, news.requests) + ", the others " + share(olds.events, olds.requests) +
         " in the same time; " + number(errors_factor_) + " times the share is too much";
}

std::string Judge::look_at_p99() {
  if (p99_factor_ == 0) return {};
  const auto bound = bound_of_p99(now_[0]);
  if (!bound) return {};
  const auto allowed = static_cast<Nanos>(static_cast<double>(*bound) * p99_factor_);
  ArmCount slow;
  for (std::size_t i = 0; i < ArmStats::kBuckets; ++i) {
    const std::uint64_t n = now_[1].head_times[i] - slow_base_.head_times[i];
    slow.requests += n;
    if (ArmStats::least_of(i) >= allowed) slow.events += n;
  }
  if (slow_.see(slow)) slow_base_ = now_[1];
  if (!slow_.is_certain()) return {};
  return to_ + " took over " + milliseconds(allowed) + " for " + share(slow.events, slow.requests) + ": its p99 is " +
         milliseconds(now_[1].p99()) + ", that of the others " + milliseconds(now_[0].p99()) + "; " +
         number(p99_factor_) + " times as long is too much";
}

std::string Judge::look_at(Metric& m) {
  ArmCount counts[2];
  for (int arm : {0, 1}) {
    counts[arm] = total(arm, m);
    counts[arm].requests -= m.base[arm].requests;
    counts[arm].events -= m.base[arm].events;
  }
  m.test.see(counts[0], counts[1]);
  if (!m.test.is_certain()) return {};
  const auto of = [](const ArmCount& c) {
    return std::to_string(c.events) + " in " + std::to_string(c.requests) + " requests";
  };
  return m.name + " of " + to_ + ": " + of(m.test.new_arm()) + ", of the others " + of(m.test.old_arm()) +
         " in the same time; " + number(m.factor) + " times as many is too much";
}

}  // namespace albatross
