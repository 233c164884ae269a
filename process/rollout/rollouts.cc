#include "process/rollout/rollouts.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/timestamp.h"
#include "config/scalar.h"

namespace albatross {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(20);

std::string text_of(const std::vector<config::WeightedGroup>& groups, const config::Rollout& r) {
  std::string out = "to " + *r.to + " steps";
  for (const auto& step : r.steps) out += " " + std::to_string(*step);
  out += " pause " + config::to_text(r.pause) + " minimum " + std::to_string(*r.minimum) + " errors " +
         std::to_string(r.abort_if.errors) + " p99 " + std::to_string(r.abort_if.p99);
  for (const auto& [name, factor] : r.abort_if.metrics) out += " " + *name + " " + std::to_string(factor);
  for (const auto& g : groups) out += ", " + *g.name + " " + std::to_string(*g.weight);
  return out;
}

std::string percent_text(std::uint32_t percent) { return std::to_string(percent) + " %"; }

}  // namespace

// ---- the file's side ----

Rollouts::Plan Rollouts::plan_of(const std::string& rule) const {
  const auto of_actions = [](const std::vector<config::Action>& actions) {
    Plan plan;
    if (actions.empty() || !actions.back().forward.rollout) return plan;
    const config::Forward& f = actions.back().forward;
    plan.rollout = &*f.rollout;
    plan.groups = f.groups;
    plan.text = text_of(f.groups, *f.rollout);
    return plan;
  };
  for (const config::Listener& l : serving_.config->listeners) {
    for (const config::Rule& r : l.rules) {  // one named default comes before the default actions, as for weights
      if (*l.name + "/" + *r.name == rule) return of_actions(r.actions);
    }
    if (*l.name + "/default" == rule) return of_actions(l.default_actions);
  }
  return {};
}

std::vector<std::string> Rollouts::rules() const {
  std::vector<std::string> out;
  for (const auto& l : serving_.snapshot->listeners) {
    for (const Route& r : l->rules->routes.all) {
      if (r.watched) out.push_back(r.address);
    }
  }
  return out;
}

Rollout* Rollouts::find(const std::string& rule) {
  const auto found = std::find_if(rollouts_.begin(), rollouts_.end(), [&](const Rollout& r) { return r.rule == rule; });
  return found == rollouts_.end() ? nullptr : &*found;
}

void Rollouts::installed() {
  if (!inherited_.empty()) {
    const nlohmann::json from = nlohmann::json::parse(std::exchange(inherited_, {}), nullptr, false);
    if (from.is_array()) {
      for (const auto& j : from) {
        auto r = rollout_from(j);
        if (!r) continue;
        std::erase_if(earlier_, [&r](const Rollout& e) { return e.rule == r->rule && e.began == r->began; });
        rollouts_.push_back(std::move(*r));
      }
    }
  }
  for (Rollout& r : rollouts_) {
    if (r.phase == RolloutPhase::kEnded) continue;
    Plan plan = plan_of(r.rule);
    if (plan.rollout != nullptr && plan.text == r.plan) {
      if (!r.is_open()) continue;
      const auto known = open_.find(r.rule);
      if (known == open_.end()) {
        open(r, std::move(plan));
      } else {
        known->second.plan = std::move(plan);  // its pointers are into the new configuration
      }
      continue;
    }
    RolloutEntry why{0, "the file has another rollout, or none, for the rule", "ended", ""};
    const ControlResult done = operator_.set_rule_weights_of_rollout(r.rule, {}, true);
    why.done = done.ok() ? done.message : "";
    close(r, RolloutPhase::kEnded);
    add(r, std::move(why));
  }
  arm_timer();
}

void Rollouts::stop() {
  stopped_ = true;
  timer_.cancel();
}

std::string Rollouts::json() const {
  nlohmann::json out = nlohmann::json::array();
  for (const Rollout& r : rollouts_) out.push_back(to_json(r));
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// ---- verbs ----

ControlResult Rollouts::act(const std::string& rule, Verb verb, bool dry_run) {
  const auto refused = [](std::string why) { return ControlResult{ControlResult::Code::kRefused, std::move(why), {}}; };
  if (ControlResult no; !operator_.takes_changes(no)) return no;
  if (verb == Verb::kStart) return start(rule, dry_run);
  Rollout* r = find(rule);
  if (r == nullptr) {
    std::vector<std::string> known;
    for (const Rollout& one : rollouts_) known.push_back(one.rule);
    return not_found("no rollout of " + rule + " was started", known);
  }
  const std::string state = "the rollout of " + rule + " is " + phase_name(r->phase);
  const bool may = verb == Verb::kUndo    ? r->phase != RolloutPhase::kEnded
                   : verb == Verb::kPause ? r->phase == RolloutPhase::kRunning
                   : verb == Verb::kAbort ? r->is_open() || r->phase == RolloutPhase::kDone
                                          : r->is_open();
  if (!may) return refused(state);
  const RolloutEntry asked{0, state + " at " + percent_text(r->percent), "", ""};
  switch (verb) {
    case Verb::kPause: {
      ControlResult done{
          ControlResult::Code::kDone, "the rollout of " + rule + " stays at " + percent_text(r->percent), {}};
      if (dry_run) return done;
      r->phase = RolloutPhase::kPaused;
      operator_.let_go(rule);
      add(*r, {0, asked.seen, "paused by command", done.message});
      return done;
    }
    case Verb::kPromote:
      if (dry_run) return {ControlResult::Code::kDone, r->to + " gets all requests of " + rule, {}};
      {
        const ControlResult done = move_to(*r, 100, {0, asked.seen, "promoted by command", ""});
        if (done.ok()) close(*r, RolloutPhase::kDone);
        return done;
      }
    case Verb::kAbort:
      if (dry_run) return {ControlResult::Code::kDone, r->to + " gets no more requests of " + rule, {}};
      {
        const ControlResult done = move_to(*r, 0, {0, asked.seen, "aborted by command", ""});
        if (done.ok()) close(*r, RolloutPhase::kAborted);
        return done;
      }
    default:
      if (dry_run) return {ControlResult::Code::kDone, "the weights of " + rule + " are those of the file again", {}};
      return restore(*r, {0, asked.seen, "undone by command", ""});
  }
}

ControlResult Rollouts::start(const std::string& rule, bool dry_run) {
  const auto refused = [](std::string why) { return ControlResult{ControlResult::Code::kRefused, std::move(why), {}}; };
  Plan plan = plan_of(rule);
  if (plan.rollout == nullptr) return not_found("no rule with a rollout is named " + rule, rules());
  const bool any = std::any_of(plan.groups.begin(), plan.groups.end(), [&](const config::WeightedGroup& g) {
    return *g.name != *plan.rollout->to && *g.weight > 0;
  });
  if (!any) return refused("no other group of " + rule + " has a weight in the file, so there is nothing to move");
  Rollout* known = find(rule);
  if (known != nullptr && known->phase == RolloutPhase::kRunning)
    return refused("the rollout of " + rule + " is running already, at " + percent_text(known->percent));
  const bool paused = known != nullptr && known->phase == RolloutPhase::kPaused;
  const std::uint32_t first = paused ? known->percent : plan.rollout->steps[0].value;
  if (dry_run) {
    return {ControlResult::Code::kDone,
            *plan.rollout->to + " gets " + percent_text(first) + " of the requests of " + rule,
            {}};
  }
  if (paused) return resume(*known);
  if (known != nullptr) {
    earlier_.push_back(std::move(*known));
    *known = Rollout();
  } else {
    known = &rollouts_.emplace_back();
  }
  known->rule = rule;
  known->to = plan.rollout->to;
  known->began = serving_.clock.wall();
  known->plan = plan.text;
  open(*known, std::move(plan));
  begin_step(*known, 0, {0, "a command", "started", ""});
  arm_timer();
  return {ControlResult::Code::kDone,
          known->to + " gets " + percent_text(known->percent) + " of the requests of " + rule,
          {}};
}

ControlResult Rollouts::resume(Rollout& r) {
  const std::string before = "the rollout of " + r.rule + " is paused at " + percent_text(r.percent);
  r.phase = RolloutPhase::kRunning;
  operator_.hold(r.rule);
  begin_step(r, r.step, {0, before, "goes on by command", ""});
  return {ControlResult::Code::kDone, "the rollout of " + r.rule + " goes on at " + percent_text(r.percent), {}};
}

// ---- weights ----

void Rollouts::open(Rollout& r, Plan plan) {
  std::vector<std::string> groups;
  for (const auto& g : plan.groups) groups.push_back(*g.name);
  Open& o = open_[r.rule];
  o.judge = std::make_unique<Judge>(*plan.rollout, r.rule, groups, stats_);
  o.plan = std::move(plan);
  if (r.phase == RolloutPhase::kRunning) operator_.hold(r.rule);
}

// The other groups share the rest as the file's weights say.
ControlResult Rollouts::move_to(Rollout& r, std::uint32_t percent, RolloutEntry why) {
  const Plan plan = plan_of(r.rule);
  std::uint64_t others = 0;
  for (const auto& g : plan.groups) {
    if (*g.name != r.to) others += *g.weight;
  }
  std::map<std::string, std::uint32_t> weights;
  for (const auto& g : plan.groups) {
    const std::uint64_t rest = (100 - percent) * std::uint64_t{100} * *g.weight / std::max<std::uint64_t>(others, 1);
    const bool some = percent < 100 && *g.weight > 0;
    weights[*g.name] =
        *g.name == r.to ? percent * 100 : static_cast<std::uint32_t>(std::max<std::uint64_t>(rest, some ? 1 : 0));
  }
  ControlResult done = operator_.set_rule_weights_of_rollout(r.rule, weights, false);
  if (!done.ok()) return done;
  r.percent = percent;
  why.done = done.message;
  done.message = "rollout of " + r.rule + ": " + why.decided + ", " + done.message;
  add(r, std::move(why));
  return done;
}

ControlResult Rollouts::restore(Rollout& r, RolloutEntry why) {
  ControlResult done = operator_.set_rule_weights_of_rollout(r.rule, {}, true);
  if (!done.ok()) return done;
  why.done = done.message;
  close(r, RolloutPhase::kEnded);
  add(r, std::move(why));
  return done;
}

void Rollouts::begin_step(Rollout& r, std::size_t step, RolloutEntry why) {
  Open& o = open_.at(r.rule);
  r.step = step;
  r.step_began = serving_.clock.wall();
  move_to(r, *o.plan.rollout->steps[step], std::move(why));
  o.judge->begin_step();
}

void Rollouts::close(Rollout& r, RolloutPhase phase) {
  r.phase = phase;
  open_.erase(r.rule);
  operator_.let_go(r.rule);
  save();
}

// ---- time passes ----

void Rollouts::arm_timer() {
  if (stopped_ || open_.empty() || timer_.expiry() > std::chrono::steady_clock::now()) return;
  timer_.expires_after(kInterval);
  timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec) tick();
  });
}

void Rollouts::tick() {
  if (ControlResult no; operator_.takes_changes(no)) {
    for (Rollout& r : rollouts_) {
      if (r.is_open()) look_at(r);
    }
  }
  arm_timer();
}

void Rollouts::look_at(Rollout& r) {
  Open& o = open_.at(r.rule);
  const config::Rollout& plan = *o.plan.rollout;
  // At 100 % there is nothing to compare with: what still runs in the other groups would be alone in what comes.
  if (std::string why = o.judge->look(); !why.empty() && r.percent < 100) {
    if (move_to(r, 0, {0, std::move(why), "aborted", ""}).ok()) close(r, RolloutPhase::kAborted);
    return;
  }
  const Nanos now = serving_.clock.wall();
  if (r.phase != RolloutPhase::kRunning || now < r.step_began + config::nanos(plan.pause)) return;
  const Judge::Arm &news = o.judge->new_arm(), &olds = o.judge->old_arm();
  const bool whole = r.percent == 100;
  if (!whole && news.requests < *plan.minimum) return;
  RolloutEntry why;
  why.seen = std::to_string(news.requests) + " requests of " + r.to + " in this step, " +
             std::to_string(news.failures) + " failed; of the others " + std::to_string(olds.requests) + ", " +
             std::to_string(olds.failures) + " failed";
  if (r.step + 1 < plan.steps.size()) {
    why.decided = "next step";
    return begin_step(r, r.step + 1, std::move(why));
  }
  why.decided = "done";
  why.done = r.to + " keeps " + percent_text(r.percent) +
             "; write these weights into the file, and the rollout to the next version";
  close(r, RolloutPhase::kDone);
  add(r, std::move(why));
}

void Rollouts::add(Rollout& r, RolloutEntry entry) {
  entry.wall = serving_.clock.wall();
  const bool bad = entry.decided == "aborted";
  serving_.log(bad ? Level::kWarning : Level::kInfo, "rollout of " + r.rule + ": " + entry.decided + ": " + entry.seen +
                                                         (entry.done.empty() ? "" : "; " + entry.done));
  r.record.push_back(std::move(entry));
  save();
}

std::vector<RolloutView> Rollouts::all() const {
  std::vector<RolloutView> out;
  for (const auto* list : {&rollouts_, &earlier_}) {
    for (const Rollout& r : *list) {
      RolloutView v;
      v.rollout = &r;
      const auto found = r.is_open() ? open_.find(r.rule) : open_.end();
      if (found != open_.end()) {
        const config::Rollout& plan = *found->second.plan.rollout;
        for (const auto& step : plan.steps) v.steps.push_back(*step);
        v.pause = config::nanos(plan.pause);
        v.minimum = plan.minimum;
        const auto arm = [](const Judge::Arm& a) { return RolloutView::Arm{a.requests, a.failures, a.p99()}; };
        v.new_arm = arm(found->second.judge->new_arm());
        v.old_arm = arm(found->second.judge->old_arm());
      }
      out.push_back(std::move(v));
    }
  }
  return out;
}

}  // namespace albatross
