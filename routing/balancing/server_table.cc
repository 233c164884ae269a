#include "routing/balancing/server_table.h"

namespace albatross {

std::shared_ptr<ServerSlot> ServerTable::slot(const std::string& group, const std::string& address) {
  std::lock_guard lock(lock_);
  std::shared_ptr<ServerSlot>& s = slots_[{group, address}];
  if (!s) {
    s = std::make_shared<ServerSlot>();
    s->group = group;
    s->address = address;
  }
  return s;
}

std::shared_ptr<GroupSlot> ServerTable::group(const std::string& name) {
  std::lock_guard lock(lock_);
  std::shared_ptr<GroupSlot>& g = groups_[name];
  if (!g) {
    g = std::make_shared<GroupSlot>();
    g->name = name;
    if (free_ids_.empty()) {
      g->id = next_id_++;
    } else {
      g->id = free_ids_.back();
      free_ids_.pop_back();
    }
  }
  return g;
}

void ServerTable::sweep() {
  std::lock_guard lock(lock_);
  std::erase_if(slots_, [](const auto& entry) { return entry.second.use_count() == 1; });
  std::erase_if(groups_, [this](const auto& entry) {
    if (entry.second.use_count() > 1) return false;
    free_ids_.push_back(entry.second->id);
    return true;
  });
}

std::vector<std::shared_ptr<ServerSlot>> ServerTable::all() const {
  std::lock_guard lock(lock_);
  std::vector<std::shared_ptr<ServerSlot>> out;
  for (const auto& [key, slot] : slots_) out.push_back(slot);
  return out;
}

}  // namespace albatross
