#include "process/rollout/rollout.h"

#include <nlohmann/json.hpp>

namespace albatross {
namespace {

using nlohmann::json;

constexpr const char* kPhases[] = {"running", "paused", "done", "aborted", "ended"};

}  // namespace

const char* phase_name(RolloutPhase phase) { return kPhases[static_cast<std::size_t>(phase)]; }

json to_json(const Rollout& r) {
  json record = json::array();
  for (const RolloutEntry& e : r.record) {
    record.push_back({{"wall", e.wall}, {"seen", e.seen}, {"decided", e.decided}, {"done", e.done}});
  }
  return {{"rule", r.rule},
          {"to", r.to},
          {"phase", phase_name(r.phase)},
          {"step", r.step},
          {"percent", r.percent},
          {"began", r.began},
          {"step_began", r.step_began},
          {"plan", r.plan},
          {"record", std::move(record)}};
}

std::optional<Rollout> rollout_from(const json& j) {
  try {
    Rollout r;
    r.rule = j.at("rule");
    r.to = j.at("to");
    const std::string phase = j.at("phase");
    std::size_t i = 0;
    while (i < std::size(kPhases) && phase != kPhases[i]) ++i;
    if (i == std::size(kPhases)) return std::nullopt;
    r.phase = static_cast<RolloutPhase>(i);
    r.step = j.at("step");
    r.percent = j.at("percent");
    r.began = j.at("began");
    r.step_began = j.at("step_began");
    r.plan = j.at("plan");
    for (const json& e : j.at("record"))
      r.record.push_back({e.at("wall"), e.at("seen"), e.at("decided"), e.at("done")});
    return r;
  } catch (const json::exception&) {  // of another version: the caller does without
    return std::nullopt;
  }
}

}  // namespace albatross
