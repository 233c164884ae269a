#include "process/operator.h"

#include <algorithm>
#include <set>

#include "base/timestamp.h"

namespace albatross {

ControlResult not_found(std::string what, const std::vector<std::string>& known) {
  what += "; there ";
  if (known.empty()) what += "is none";
  for (std::size_t i = 0; i < known.size() && i < 8; ++i) what += (i == 0 ? "are " : ", ") + known[i];
  if (known.size() > 8) what += " and " + std::to_string(known.size() - 8) + " more";
  return {ControlResult::Code::kNotFound, what, {}};
}

// While the process stops or hands over, a change would be lost.
bool Operator::takes_changes(ControlResult& out) const {
  std::string why = refusal_();
  if (why.empty()) return true;
  out = {ControlResult::Code::kRefused, std::move(why), {}};
  return false;
}

const GroupRuntime* Operator::find_group(const std::string& name, ControlResult& out) const {
  if (!takes_changes(out)) return nullptr;
  std::vector<std::string> known;
  for (const auto& g : serving_.snapshot->groups) {
    if (g->name == name) return g.get();
    known.push_back(g->name);
  }
  out = not_found("no server group is named " + name, known);
  return nullptr;
}

const ServerEntry* Operator::find_server(const GroupRuntime& group, const std::string& address,
                                         ControlResult& out) const {
  std::vector<std::string> known;
  for (const ServerEntry& e : group.servers) {
    if (e.slot->address == address) return &e;
    known.push_back(e.slot->address);
  }
  out = not_found("server group " + group.name + " has no server " + address, known);
  return nullptr;
}

// Warns if no other server of the group can take requests.
void Operator::warn_if_last(const GroupRuntime& group, const ServerEntry& server, ControlResult& out) const {
  bool any = false;
  for (const ServerEntry& e : group.servers) {
    if (&e == &server || e.slot->weight.load() == 0 || e.slot->draining.load()) continue;
    if (e.slot->usable(serving_.clock.now())) return;
    any = true;
  }
  const std::string no_other = "no other server of " + group.name;
  out.warnings.push_back(any && group.fail_open
                             ? no_other + " is healthy: requests go to the unhealthy ones (fail_open) and may fail"
                             : no_other + " takes requests: they will be answered with 503");
}

void Operator::note(Level level, const std::string& what) {
  serving_.log(level, what);
  journal_.push_back({serving_.clock.wall(), what});
  if (journal_.size() > 200) journal_.pop_front();
}

ControlResult Operator::set_server_weight(const std::string& group, const std::string& address,
                                          std::optional<std::uint32_t> weight, bool dry_run) {
  ControlResult r;
  const GroupRuntime* g = find_group(group, r);
  const ServerEntry* e = g != nullptr ? find_server(*g, address, r) : nullptr;
  if (e == nullptr) return r;
  std::uint32_t next = weight.value_or(e->weight);
  if (next > 10'000) return {ControlResult::Code::kRefused, "a weight must be from 0 to 10000", {}};
  r.message = "weight of " + group + "/" + address + ": " + std::to_string(e->slot->weight.load()) + " -> " +
              std::to_string(next);
  if (!weight) r.message += ", as in the file";
  if (next == 0) warn_if_last(*g, *e, r);
  if (dry_run) return r;
  if (weight) {
    overrides_.servers[{group, address}] = {next, e->weight};
  } else {
    overrides_.servers.erase({group, address});
  }
  note(Level::kInfo, r.message);
  changed();
  return r;
}

ControlResult Operator::set_rule_weights(const std::string& rule, const std::map<std::string, std::uint32_t>& weights,
                                         bool reset, bool dry_run) {
  if (held_.contains(rule)) {
    return {ControlResult::Code::kRefused,
            "a rollout moves the weights of " + rule + ": pause, abort or undo it first (albatross rollout pause " +
                rule + ")",
            {}};
  }
  return find_rule_and_set(rule, weights, reset, dry_run);
}

ControlResult Operator::set_rule_weights_of_rollout(const std::string& rule,
                                                    const std::map<std::string, std::uint32_t>& weights, bool reset) {
  return find_rule_and_set(rule, weights, reset, false);
}

ControlResult Operator::find_rule_and_set(const std::string& rule, const std::map<std::string, std::uint32_t>& weights,
                                          bool reset, bool dry_run) {
  if (ControlResult no; !takes_changes(no)) return no;
  std::vector<std::string> rules;
  for (const auto& l : serving_.snapshot->listeners) {
    for (const Route& route : l->rules->routes.all) {
      if (route.targets.empty()) continue;
      rules.push_back(route.address);
      if (route.address == rule) return set_route_weights(route, weights, reset, dry_run);
    }
  }
  return not_found("no rule that forwards is named " + rule, rules);
}

ControlResult Operator::set_route_weights(const Route& route, const std::map<std::string, std::uint32_t>& weights,
                                          bool reset, bool dry_run) {
  std::vector<std::string> groups;
  for (const ForwardTarget& t : route.targets) groups.push_back(t.slot->name);
  for (const auto& [name, w] : weights) {
    if (std::find(groups.begin(), groups.end(), name) == groups.end())
      return not_found(route.address + " does not forward to " + name, groups);
    if (w > 10'000) return {ControlResult::Code::kRefused, "a weight must be from 0 to 10000", {}};
  }
  if (!reset && weights.empty())
    return {ControlResult::Code::kRefused, "no weight is given; write {\"GROUP\": WEIGHT}", {}};
  ControlResult r;
  r.message = "weights of " + route.address + ":";
  std::uint64_t sum = 0;
  for (const ForwardTarget& t : route.targets) {
    const std::string& name = t.slot->name;
    auto it = weights.find(name);
    std::uint32_t next = reset ? t.file_weight : it != weights.end() ? it->second : t.weight.load();
    sum += next;
    r.message += " " + name + "=" + std::to_string(next);
  }
  if (reset) r.message += ", as in the file";
  if (sum == 0) r.warnings.push_back("every weight is 0: the first group gets all requests");
  if (dry_run) return r;
  for (const ForwardTarget& t : route.targets) {
    Overrides::Key key{route.address, t.slot->name};
    auto it = weights.find(key.second);
    if (reset) {
      overrides_.rules.erase(key);
    } else if (it != weights.end()) {
      overrides_.rules[key] = {it->second, t.file_weight};
    }
  }
  note(Level::kInfo, r.message);
  changed();
  return r;
}

ControlResult Operator::drain_server(const std::string& group, const std::string& address, std::optional<Nanos> window,
                                     bool dry_run, Drained done) {
  ControlResult r;
  const GroupRuntime* g = find_group(group, r);
  const ServerEntry* e = g != nullptr ? find_server(*g, address, r) : nullptr;
  if (e == nullptr) return r;
  Nanos within = window.value_or(g->drain);
  r.message = "draining " + group + "/" + address + " for at most " + duration_text(within);
  warn_if_last(*g, *e, r);
  if (dry_run) return r;
  overrides_.drained.insert({group, address});
  note(Level::kInfo, r.message);
  changed();
  start_drain(e->slot, within, std::move(done));
  return r;
}

ControlResult Operator::undrain_server(const std::string& group, const std::string& address, bool dry_run) {
  ControlResult r;
  const GroupRuntime* g = find_group(group, r);
  const ServerEntry* e = g != nullptr ? find_server(*g, address, r) : nullptr;
  if (e == nullptr) return r;
  bool drained = overrides_.drained.contains({group, address});
  r.message = group + "/" + address + (drained ? " takes requests again" : " is not draining");
  if (e->slot->health.load() == Health::kUnhealthy) {
    r.message = group + "/" + address + (drained ? " is no longer draining" : " is not draining") +
                ", but it is unhealthy: " + e->slot->last_failure;
  }
  if (dry_run || !drained) return r;
  overrides_.drained.erase({group, address});
  note(Level::kInfo, r.message);
  changed();
  end_drain(e->slot);
  return r;
}

// ---- listeners ----

const ListenerRuntime* Operator::find_listener(const std::string& name, ControlResult& out) const {
  if (!takes_changes(out)) return nullptr;
  std::vector<std::string> known;
  for (const auto& l : serving_.snapshot->listeners) {
    if (l->name == name) return l.get();
    known.push_back(l->name);
  }
  for (const auto& g : serving_.snapshot->groups) {
    if (g->name != name) continue;
    std::vector<std::string> servers;
    for (const ServerEntry& e : g->servers) servers.push_back(name + "/" + e.slot->address);
    out = not_found("no listener is named " + name + ", but a server group is; name one of its servers", servers);
    return nullptr;
  }
  out = not_found("no listener is named " + name, known);
  return nullptr;
}

ControlResult Operator::drain_listener(const std::string& name, std::optional<Nanos> window, bool dry_run,
                                       Drained done) {
  ControlResult r;
  const ListenerRuntime* l = find_listener(name, r);
  if (l == nullptr) return r;
  if (overrides_.drained_listeners.contains(name)) {
    return {ControlResult::Code::kRefused, "listener " + name + " is already drained", {}};
  }
  const Nanos within = window.value_or(config::nanos(serving_.config->shutdown.drain));
  r.message = "draining listener " + name + " for at most " + duration_text(within);
  if (overrides_.drained_listeners.size() + 1 == serving_.snapshot->listeners.size()) {
    r.warnings.push_back("no other listener takes connections");
  }
  if (dry_run) return r;
  overrides_.drained_listeners.insert(name);
  note(Level::kInfo, r.message);
  auto part = serving_.workers.sum([this, name, done = std::move(done)](const DrainReport& report) {
    note_drained("listener " + name, report);
    if (done) done(report);
  });
  // The sockets close when the last worker has left them.
  std::shared_ptr<void> closer = serving_.sockets.leave(l->bind);
  for (int i = 0; i < static_cast<int>(serving_.workers.size()); ++i) {
    auto listens = serving_.sockets.of_worker(*serving_.snapshot, i);
    serving_.workers.post(i, [name, within, part, listens, closer](Worker& w) {
      w.listen(listens);
      w.drain_connections(name, within, part);
    });
  }
  return r;
}

ControlResult Operator::undrain_listener(const std::string& name, bool dry_run) {
  ControlResult r;
  const ListenerRuntime* l = find_listener(name, r);
  if (l == nullptr) return r;
  const bool drained = overrides_.drained_listeners.contains(name);
  r.message = "listener " + name + (drained ? " takes connections again" : " is not draining");
  if (dry_run || !drained) return r;
  std::string error;
  if (!serving_.sockets.reopen(l->bind, error)) return {ControlResult::Code::kRefused, error, {}};
  overrides_.drained_listeners.erase(name);
  note(Level::kInfo, r.message);
  serving_.listen();
  return r;
}

// ---- putting it into force ----

void Operator::apply() {
  overrides_.settle(*serving_.snapshot);
  // A listener that has a new address, or the address of a drained listener, takes connections again.
  std::erase_if(overrides_.drained_listeners, [this](const std::string& name) {
    for (const auto& l : serving_.snapshot->listeners) {
      if (l->name == name) return serving_.sockets.is_open(l->bind);
    }
    return false;
  });
  for (const auto& g : serving_.snapshot->groups) apply(*g);
  for (const auto& l : serving_.snapshot->listeners) {
    for (const Route& r : l->rules->routes.all) {
      for (const ForwardTarget& t : r.targets) {
        t.weight.store(overrides_.rule_weight(r.address, t.slot->name, t.file_weight), std::memory_order_relaxed);
      }
    }
  }
}

void Operator::apply(const GroupRuntime& group) {
  overrides_.settle(group);
  for (const ServerEntry& e : group.servers) {
    const std::string& address = e.slot->address;
    e.slot->weight.store(overrides_.server_weight(group.name, address, e.weight), std::memory_order_relaxed);
    e.slot->draining.store(overrides_.drained.contains({group.name, address}), std::memory_order_relaxed);
  }
}

void Operator::changed() {
  ++version_;
  apply();
  Worker::HashTables tables;
  for (const auto& g : serving_.snapshot->groups) {
    if (auto table = make_hash_table(*g, overrides_)) tables[g->name] = table;
  }
  serving_.workers.post_all([tables](Worker& w) { w.refresh_balancers(tables); });
}

void Operator::refresh_if_changed_since(std::uint64_t version) {
  if (version != version_) changed();
}

// ---- drains ----

void Operator::note_drained(const std::string& what, const DrainReport& r) {
  note(Level::kInfo, "drained " + what + ": " + std::to_string(r.finished) + " finished, " + std::to_string(r.moved) +
                         " moved, " + std::to_string(r.cut()) + " cut, the last ended after " +
                         duration_text(r.longest));
}

void Operator::start_drain(const std::shared_ptr<ServerSlot>& slot, Nanos window, Drained done) {
  auto status = std::make_shared<DrainStatus>();
  status->began_wall = serving_.clock.wall();
  status->slot = slot;
  if (drains_.size() > 256) std::erase_if(drains_, [](const auto& entry) { return entry.second->over; });
  drains_[{slot->group, slot->address}] = status;
  auto part = serving_.workers.sum([this, slot, status, done = std::move(done)](const DrainReport& report) {
    status->report = report;
    status->over = true;
    status->slot.reset();
    note_drained(slot->group + "/" + slot->address, report);
    if (done) done(report);
  });
  serving_.workers.post_all([slot, window, part](Worker& w) { w.drain_server(slot, window, part); });
}

void Operator::end_drain(const std::shared_ptr<ServerSlot>& slot) {
  serving_.workers.post_all([slot](Worker& w) { w.undrain_server(*slot); });
}

void Operator::health_changed(const ServerSlot& s, Health h) {
  serving_.log(h == Health::kHealthy ? Level::kInfo : Level::kWarning,
               "server " + s.group + "/" + s.address +
                   (h == Health::kHealthy ? " is healthy" : " is unhealthy: " + s.last_failure));
  if (h == Health::kHealthy) wake_queues(s.group);
  for (const auto& g : serving_.snapshot->groups) {
    if (g->name != s.group || !g->drain_unhealthy) continue;
    for (const ServerEntry& e : g->servers) {
      if (e.slot.get() != &s || e.slot->draining.load()) continue;
      if (h == Health::kUnhealthy) {
        start_drain(e.slot, g->drain, nullptr);
      } else {
        end_drain(e.slot);
      }
    }
  }
}

void Operator::wake_queues(const std::string& group) {
  serving_.workers.post_all([group](Worker& w) { w.serve_queue(group); });
}

// These servers get no drain mark: the new configuration does not offer them anyway, and workers that still serve by
// the old one would see the mark.
void Operator::drain_removed(const GroupRuntime& old, const GroupRuntime& now) {
  std::set<const ServerSlot*> stay;
  for (const ServerEntry& e : now.servers) stay.insert(e.slot.get());
  for (const ServerEntry& e : old.servers) {
    if (!stay.contains(e.slot.get())) start_drain(e.slot, old.drain, nullptr);
  }
}

// Servers that have come back while they drained.
void Operator::end_drains_of(const GroupRuntime& group) {
  std::set<const ServerSlot*> serving;
  for (const ServerEntry& e : group.servers) serving.insert(e.slot.get());
  for (auto& [key, status] : drains_) {
    if (status->over || !serving.contains(status->slot.get()) || status->slot->draining.load()) continue;
    end_drain(status->slot);
  }
}

void Operator::drain_removed(const Snapshot& old) {
  const GroupRuntime none;
  for (const auto& before : old.groups) {
    const GroupRuntime* now = &none;
    for (const auto& g : serving_.snapshot->groups) {
      if (g->name == before->name) now = g.get();
    }
    if (now != before.get()) drain_removed(*before, *now);
  }
  for (const auto& g : serving_.snapshot->groups) end_drains_of(*g);
}

}  // namespace albatross
