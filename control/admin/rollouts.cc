#include "control/admin/rollouts.h"

#include <nlohmann/json.hpp>

#include "base/timestamp.h"

namespace albatross {
namespace {

using nlohmann::json;

std::string time_text(Nanos wall) { return std::string(Timestamp().text(wall)); }

json arm_json(const RolloutView::Arm& a) {
  return {{"requests", a.requests}, {"failures", a.failures}, {"p99", static_cast<double>(a.p99) / 1e9}};
}

json one(const RolloutView& v, bool with_record) {
  const Rollout& r = *v.rollout;
  json out{{"rule", r.rule},
           {"to", r.to},
           {"phase", phase_name(r.phase)},
           {"percent", r.percent},
           {"began", time_text(r.began)}};
  if (r.is_open()) {
    out["step"] = r.step + 1;
    out["steps"] = v.steps;
    out["step_began"] = time_text(r.step_began);
    out["pause"] = static_cast<double>(v.pause) / 1e9;
    out["minimum"] = v.minimum;
    out["new"] = arm_json(v.new_arm);
    out["old"] = arm_json(v.old_arm);
  }
  if (!with_record) return out;
  out["record"] = json::array();
  for (const RolloutEntry& e : r.record) {
    out["record"].push_back({{"time", time_text(e.wall)}, {"seen", e.seen}, {"decided", e.decided}, {"done", e.done}});
  }
  return out;
}

}  // namespace

json rollouts_json(Control& control, bool only_open) {
  json out = json::array();
  for (const bool open : {true, false}) {
    for (const RolloutView& v : control.rollouts().all()) {
      if (v.rollout->is_open() == open && (open || !only_open)) out.push_back(one(v, !only_open));
    }
  }
  return out;
}

std::optional<RolloutControl::Verb> rollout_verb(const std::string& word) {
  using Verb = RolloutControl::Verb;
  static constexpr std::pair<std::string_view, Verb> kAll[] = {{"start", Verb::kStart},
                                                               {"pause", Verb::kPause},
                                                               {"promote", Verb::kPromote},
                                                               {"abort", Verb::kAbort},
                                                               {"undo", Verb::kUndo}};
  for (const auto& [name, verb] : kAll) {
    if (word == name) return verb;
  }
  return std::nullopt;
}

}  // namespace albatross
