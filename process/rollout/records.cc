// The records of rollouts in the state folder.
#include <nlohmann/json.hpp>

#include "process/rollout/rollouts.h"
#include "process/state_folder.h"

namespace albatross {
namespace {

constexpr const char* kFile = "rollouts.json";
constexpr std::size_t kMost = 100;  // records that are kept

}  // namespace

void Rollouts::keep_in(const std::string& folder) {
  folder_ = folder;
  if (folder_.empty()) return;
  const std::string text = read_state(folder_, kFile);
  if (text.empty()) return;
  const nlohmann::json all = nlohmann::json::parse(text, nullptr, false);
  if (!all.is_object() || !all.contains("rollouts") || !all["rollouts"].is_array()) {
    return serving_.log(Level::kWarning, folder_ + "/" + kFile + " has no records of rollouts, and will be replaced");
  }
  for (const auto& j : all["rollouts"]) {
    auto r = rollout_from(j);
    if (!r) continue;
    if (r->is_open()) {
      r->record.push_back({serving_.clock.wall(), "the process ended", "ended", "the weights are those of the file"});
      r->phase = RolloutPhase::kEnded;
    }
    earlier_.push_back(std::move(*r));
  }
}

void Rollouts::save() {
  if (folder_.empty()) return;
  if (earlier_.size() > kMost) earlier_.erase(earlier_.begin(), earlier_.end() - kMost);
  nlohmann::json all = nlohmann::json::array();
  for (const auto* list : {&earlier_, &rollouts_}) {
    for (const Rollout& r : *list) all.push_back(to_json(r));
  }
  const nlohmann::json file{{"version", 1}, {"rollouts", std::move(all)}};
  const std::string why =
      write_state(folder_, kFile, file.dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
  if (!why.empty()) serving_.log(Level::kWarning, "the record of rollouts is not kept: " + why);
}

}  // namespace albatross
