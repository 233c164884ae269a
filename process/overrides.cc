#include "process/overrides.h"

#include <algorithm>

namespace albatross {

void Overrides::settle(const Snapshot& now) {
  std::map<Key, std::uint32_t> server_weights, rule_weights;
  for (const auto& g : now.groups) {
    for (const ServerEntry& e : g->servers) server_weights[{g->name, e.slot->address}] = e.weight;
  }
  for (const auto& l : now.listeners) {
    for (const Route& r : l->rules->routes.all) {
      for (const ForwardTarget& t : r.targets) rule_weights[{r.address, t.slot->name}] = t.file_weight;
    }
  }
  auto differs = [](const std::map<Key, std::uint32_t>& file) {
    return [&file](const auto& entry) {
      auto it = file.find(entry.first);
      return it == file.end() || it->second != entry.second.file;
    };
  };
  std::erase_if(servers, differs(server_weights));
  std::erase_if(rules, differs(rule_weights));
  std::erase_if(drained_listeners, [&](const std::string& name) {
    return std::none_of(now.listeners.begin(), now.listeners.end(), [&](const auto& l) { return l->name == name; });
  });
  std::erase_if(drained, [&](const Key& key) { return !server_weights.contains(key); });
}

void Overrides::settle(const GroupRuntime& now) {
  if (servers.empty() && drained.empty()) return;
  std::map<std::string, std::uint32_t> weights;
  for (const ServerEntry& e : now.servers) weights[e.slot->address] = e.weight;
  std::erase_if(servers, [&](const auto& entry) {
    if (entry.first.first != now.name) return false;
    auto it = weights.find(entry.first.second);
    return it == weights.end() || it->second != entry.second.file;
  });
  std::erase_if(drained, [&](const Key& key) { return key.first == now.name && !weights.contains(key.second); });
}

std::shared_ptr<const HashTable> make_hash_table(const GroupRuntime& group, const Overrides& overrides) {
  if (group.balancing.scheduler != Scheduler::kHash) return nullptr;
  std::vector<HashTable::Server> servers;
  for (const ServerEntry& e : group.servers) {
    // Backups own no keys.
    std::uint32_t weight = e.backup ? 0 : overrides.server_weight(group.name, e.slot->address, e.weight);
    servers.push_back({e.slot->address, weight});
  }
  return HashTable::build(group.hash.kind, servers);
}

}  // namespace albatross
