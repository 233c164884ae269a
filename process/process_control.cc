// What operators do to the running process: weights and drains, over what the file says. Control thread.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <set>

#include "process/process.h"

namespace albatross {
ControlResult not_found(std::string what, const std::vector<std::string>& known) {
  what += "; there ";
  if (known.empty()) what += "is none";
  for (std::size_t i = 0; i < known.size() && i < 8; ++i) what += (i == 0 ? "are " : ", ") + known[i];
  if (known.size() > 8) what += " and " + std::to_string(known.size() - 8) + " more";
  return {ControlResult::Code::kNotFound, what, {}};
}

// What is set now would be lost, or would keep a process from ending.
bool Process::takes_changes(ControlResult& out) const {
  if (!stopping_ && !handing_over_) return true;
  out = {ControlResult::Code::kRefused,
         stopping_ ? "the process is stopping" : "a new process is taking over; ask it",
         {}};
  return false;
}

const GroupRuntime* Process::find_group(const std::string& name, ControlResult& out) const {
  if (!takes_changes(out)) return nullptr;
  std::vector<std::string> known;
  for (const auto& g : snapshot_->groups) {
    if (g->name == name) return g.get();
    known.push_back(g->name);
  }
  out = not_found("no server group is named " + name, known);
  return nullptr;
}

const ServerEntry* Process::find_server(const GroupRuntime& group, const std::string& address,
                                        ControlResult& out) const {
  std::vector<std::string> known;
  for (const ServerEntry& e : group.servers) {
    if (e.slot->address == address) return &e;
    known.push_back(e.slot->address);
  }
  out = not_found("server group " + group.name + " has no server " + address, known);
  return nullptr;
}

// Is there another one that takes requests?
bool Process::is_last(const GroupRuntime& group, const ServerEntry& server) const {
  for (const ServerEntry& e : group.servers) {
    if (&e != &server && e.slot->weight.load() > 0 && e.slot->usable(now())) return false;
  }
  return true;
}

void Process::note(const std::string& what) {
  log(what);
  journal_.push_back({clock_.wall(), what});
  if (journal_.size() > 200) journal_.pop_front();
}

ControlResult Process::set_server_weight(const std::string& group, const std::string& address,
                                         std::optional<std::uint32_t> weight, bool dry_run) {
  ControlResult r;
  const GroupRuntime* g = find_group(group, r);
  const ServerEntry* e = g != nullptr ? find_server(*g, address, r) : nullptr;
  if (e == nullptr) return r;
  std::uint32_t next = weight.value_or(e->weight);
  if (next > 10'000) return {ControlResult::Code::kRefused, "a weight is 0 to 10000", {}};
  r.message = "weight of " + group + "/" + address + ": " + std::to_string(e->slot->weight.load()) + " -> " +
              std::to_string(next);
  if (!weight) r.message += ", as the file says";
  if (next == 0 && is_last(*g, *e))
    r.warnings.push_back("no other server of " + group + " takes requests: they will be answered with 503");
  if (dry_run) return r;
  if (weight) {
    overrides_.servers[{group, address}] = {next, e->weight};
  } else {
    overrides_.servers.erase({group, address});
  }
  note(r.message);
  overrides_changed();
  return r;
}

ControlResult Process::set_rule_weights(const std::string& rule, const std::map<std::string, std::uint32_t>& weights,
                                        bool reset, bool dry_run) {
  if (ControlResult no; !takes_changes(no)) return no;
  std::vector<std::string> rules;
  for (const auto& l : snapshot_->listeners) {
    for (const Route& route : l->routes.all) {
      if (route.targets.empty()) continue;
      rules.push_back(route.address);
      if (route.address == rule) return set_route_weights(route, weights, reset, dry_run);
    }
  }
  return not_found("no rule that forwards is " + rule, rules);
}

ControlResult Process::set_route_weights(const Route& route, const std::map<std::string, std::uint32_t>& weights,
                                         bool reset, bool dry_run) {
  std::vector<std::string> groups;
  for (const ForwardTarget& t : route.targets) groups.push_back(snapshot_->groups[t.group]->name);
  for (const auto& [name, w] : weights) {
    if (std::find(groups.begin(), groups.end(), name) == groups.end())
      return not_found(route.address + " does not forward to " + name, groups);
    if (w > 10'000) return {ControlResult::Code::kRefused, "a weight is 0 to 10000", {}};
  }
  if (!reset && weights.empty())
    return {ControlResult::Code::kRefused, "no weight is given; write {\"GROUP\": WEIGHT}", {}};
  ControlResult r;
  r.message = "weights of " + route.address + ":";
  std::uint64_t sum = 0;
  for (const ForwardTarget& t : route.targets) {
    const std::string& name = snapshot_->groups[t.group]->name;
    auto it = weights.find(name);
    std::uint32_t next = reset ? t.file_weight : it != weights.end() ? it->second : t.weight.load();
    sum += next;
    r.message += " " + name + "=" + std::to_string(next);
  }
  if (reset) r.message += ", as the file says";
  if (sum == 0) r.warnings.push_back("every weight is 0: the first group gets what comes");
  if (dry_run) return r;
  for (const ForwardTarget& t : route.targets) {
    Overrides::Key key{route.address, snapshot_->groups[t.group]->name};
    auto it = weights.find(key.second);
    if (reset) {
      overrides_.rules.erase(key);
    } else if (it != weights.end()) {
      overrides_.rules[key] = {it->second, t.file_weight};
    }
  }
  note(r.message);
  overrides_changed();
  return r;
}

ControlResult Process::drain_server(const std::string& group, const std::string& address, std::optional<Nanos> window,
                                    bool dry_run, Drained done) {
  ControlResult r;
  const GroupRuntime* g = find_group(group, r);
  const ServerEntry* e = g != nullptr ? find_server(*g, address, r) : nullptr;
  if (e == nullptr) return r;
  Nanos within = window.value_or(g->drain);
  r.message = "draining " + group + "/" + address + " for at most " + std::to_string(within / kSecond) + " s";
  if (is_last(*g, *e))
    r.warnings.push_back("no other server of " + group + " takes requests: they will be answered with 503");
  if (dry_run) return r;
  overrides_.drained.insert({group, address});
  note(r.message);
  overrides_changed();
  start_drain(e->slot, within, std::move(done));
  return r;
}

ControlResult Process::undrain_server(const std::string& group, const std::string& address, bool dry_run) {
  ControlResult r;
  const GroupRuntime* g = find_group(group, r);
  const ServerEntry* e = g != nullptr ? find_server(*g, address, r) : nullptr;
  if (e == nullptr) return r;
  bool drained = overrides_.drained.contains({group, address});
  r.message = group + "/" + address + (drained ? " takes requests again" : " is not draining");
  if (dry_run || !drained) return r;
  overrides_.drained.erase({group, address});
  note(r.message);
  overrides_changed();
  end_drain(e->slot);
  return r;
}

// ---- putting it into force ----

// The file's values, or what is set over them, to where workers and balancers look.
void Process::apply_overrides() {
  overrides_.settle(*snapshot_);
  for (const auto& g : snapshot_->groups) {
    for (const ServerEntry& e : g->servers) {
      e.slot->weight.store(overrides_.server_weight(g->name, e.slot->address, e.weight), std::memory_order_relaxed);
      e.slot->draining.store(overrides_.drained.contains({g->name, e.slot->address}), std::memory_order_relaxed);
    }
  }
  for (const auto& l : snapshot_->listeners) {
    for (const Route& r : l->routes.all) {
      for (const ForwardTarget& t : r.targets) {
        t.weight.store(overrides_.rule_weight(r.address, snapshot_->groups[t.group]->name, t.file_weight),
                       std::memory_order_relaxed);
      }
    }
  }
}

void Process::overrides_changed() {
  apply_overrides();
  if (building_) weights_pending_ = true;  // what is being built has the old ones
  Worker::HashTables tables;
  for (const auto& g : snapshot_->groups) {
    if (auto table = make_hash_table(*g, overrides_)) tables[g->name] = table;
  }
  for (auto& w : workers_) {
    Worker* worker = w.get();
    worker->loop().post([worker, tables] { worker->refresh_balancers(tables); });
  }
}

Process::Drained Process::sum_of_workers(Drained done) {
  struct Sum {
    DrainReport report;
    std::size_t left;
  };
  auto sum = std::make_shared<Sum>(Sum{{}, workers_.size()});
  return [this, sum, done](const DrainReport& part) {
    boost::asio::post(io_, [sum, done, part] {
      sum->report.add(part);
      if (--sum->left == 0) done(sum->report);
    });
  };
}

void Process::note_drained(const std::string& what, const DrainReport& r) {
  note("drained " + what + ": " + std::to_string(r.finished) + " finished, " + std::to_string(r.moved) + " moved, " +
       std::to_string(r.cut()) + " cut, the longest after " + std::to_string(r.longest / kMilli) + " ms");
}

void Process::start_drain(const std::shared_ptr<ServerSlot>& slot, Nanos window, Drained done) {
  auto status = std::make_shared<DrainStatus>();
  status->began_wall = clock_.wall();
  status->slot = slot;
  if (drains_.size() > 256) std::erase_if(drains_, [](const auto& entry) { return entry.second->over; });
  drains_[{slot->group, slot->address}] = status;
  auto part = sum_of_workers([this, slot, status, done](const DrainReport& report) {
    status->report = report;
    status->over = true;
    status->slot.reset();
    note_drained(slot->group + "/" + slot->address, report);
    if (done) done(report);
  });
  for (auto& w : workers_) {
    Worker* worker = w.get();
    worker->loop().post([worker, slot, window, part] { worker->drain_server(slot, window, part); });
  }
}

// As an option, one that becomes unhealthy drains; what is healthy again takes requests at once.
void Process::health_changed(const ServerSlot& s, Health h) {
  log("server " + s.group + "/" + s.address +
      (h == Health::kHealthy ? " is healthy" : " is unhealthy: " + s.last_failure));
  if (h == Health::kHealthy) wake_queues(s.group);
  for (const auto& g : snapshot_->groups) {
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

// Whoever waits in that group looks again.
void Process::wake_queues(const std::string& group) {
  for (auto& w : workers_) {
    Worker* worker = w.get();
    worker->loop().post([worker, group] { worker->serve_queue(group); });
  }
}

void Process::end_drain(const std::shared_ptr<ServerSlot>& slot) {
  for (auto& w : workers_) {
    Worker* worker = w.get();
    worker->loop().post([worker, slot] { worker->undrain_server(*slot); });
  }
}

// Servers that a reload, or a name, has taken away.
void Process::drain_removed(const Snapshot& old) {
  for (const auto& g : old.groups) {
    for (const ServerEntry& e : g->servers) {
      bool stays = false;
      for (const auto& now : snapshot_->groups) {
        if (now->name != g->name) continue;
        for (const ServerEntry& n : now->servers) stays |= n.slot == e.slot;
      }
      if (stays) continue;
      // The new configuration does not have it, so nobody chooses it; the flag would be seen by workers that still
      // serve by the old.
      start_drain(e.slot, g->drain, nullptr);
    }
  }
  // One that has come back while it drained.
  std::set<const ServerSlot*> serving;
  for (const auto& g : snapshot_->groups) {
    for (const ServerEntry& e : g->servers) serving.insert(e.slot.get());
  }
  for (auto& [key, status] : drains_) {
    if (status->over || !serving.contains(status->slot.get()) || status->slot->draining.load()) continue;
    end_drain(status->slot);
  }
}

}  // namespace albatross
