// The weights and drains that operators have set on the running process. Each lasts until the file changes the value
// that it overrides, or until it is reset, so it survives reloads. A value: the Operator's is in force (control
// thread), and a build has a copy.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "proxy/snapshot.h"

namespace albatross {

class Overrides {
 public:
  struct Weight {
    std::uint32_t value = 0;
    std::uint32_t file = 0;  // the file's value when it was set
  };
  using Key = std::pair<std::string, std::string>;  // group and address of a server; or LISTENER/RULE and group

  std::uint32_t server_weight(const std::string& group, const std::string& address, std::uint32_t file) const {
    return find(servers, {group, address}, file);
  }
  std::uint32_t rule_weight(const std::string& rule, const std::string& group, std::uint32_t file) const {
    return find(rules, {rule, group}, file);
  }
  // Drops overrides of values that the file has changed or removed.
  void settle(const Snapshot& now);
  // The same for the servers of one group.
  void settle(const GroupRuntime& now);

  std::map<Key, Weight> servers;
  std::map<Key, Weight> rules;
  std::set<Key> drained;  // servers
  std::set<std::string> drained_listeners;

 private:
  static std::uint32_t find(const std::map<Key, Weight>& in, const Key& key, std::uint32_t file) {
    auto it = in.find(key);
    return it != in.end() && it->second.file == file ? it->second.value : file;
  }
};

// The hash table of a group, by the weights in force; null if its scheduler does not hash.
std::shared_ptr<const HashTable> make_hash_table(const GroupRuntime& group, const Overrides& overrides);

}  // namespace albatross
