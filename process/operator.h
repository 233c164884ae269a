// Makes the changes of operators to the running process: weights and drains that override the file, with a journal.
// Owned by the Process; control thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "process/control.h"
#include "process/serving.h"

namespace albatross {

class Operator final : public RuntimeChanges {
 public:
  // `refusal` returns why nothing may be changed now; empty if changes are allowed.
  Operator(Serving& serving, std::function<std::string()> refusal) : serving_(serving), refusal_(std::move(refusal)) {}

  ControlResult set_server_weight(const std::string& group, const std::string& address,
                                  std::optional<std::uint32_t> weight, bool dry_run) override;
  ControlResult set_rule_weights(const std::string& rule, const std::map<std::string, std::uint32_t>& weights,
                                 bool reset, bool dry_run) override;
  ControlResult drain_server(const std::string& group, const std::string& address, std::optional<Nanos> window,
                             bool dry_run, Drained done) override;
  ControlResult undrain_server(const std::string& group, const std::string& address, bool dry_run) override;
  ControlResult drain_listener(const std::string& name, std::optional<Nanos> window, bool dry_run,
                               Drained done) override;
  ControlResult undrain_listener(const std::string& name, bool dry_run) override;

  // False, and `out` says why, while nothing may be changed.
  bool takes_changes(ControlResult& out) const;
  // As set_rule_weights(), also while the rule is held.
  ControlResult set_rule_weights_of_rollout(const std::string& rule,
                                            const std::map<std::string, std::uint32_t>& weights, bool reset);
  // While a rollout moves the weights of a rule, nobody else does.
  void hold(const std::string& rule) { held_.insert(rule); }
  void let_go(const std::string& rule) { held_.erase(rule); }

  const Overrides& overrides() const { return overrides_; }
  void set_overrides(Overrides o) { overrides_ = std::move(o); }
  const std::deque<JournalEntry>& journal() const { return journal_; }
  const std::map<Overrides::Key, std::shared_ptr<DrainStatus>>& drains() const { return drains_; }

  // A snapshot is being installed: writes weights and drain marks to its slots and routes.
  void apply();
  // The same for one group.
  void apply(const GroupRuntime& group);
  // Tells the workers about weights that were set since that version of the overrides, such as during a build.
  void refresh_if_changed_since(std::uint64_t version);
  std::uint64_t version() const { return version_; }
  // Drains the servers that the configuration has dropped, and ends the drains of those that have come back.
  void drain_removed(const Snapshot& old);
  void drain_removed(const GroupRuntime& old, const GroupRuntime& now);
  void end_drains_of(const GroupRuntime& group);

  // A probe has changed a server's health. If the group is configured so, an unhealthy server drains. A healthy one
  // takes requests at once.
  void health_changed(const ServerSlot& slot, Health health);
  void note_drained(const std::string& what, const DrainReport& report);
  // Makes every worker serve its queue of that group.
  void wake_queues(const std::string& group);
  // Puts a line into the journal and the event log.
  void note(Level level, const std::string& what);

 private:
  const GroupRuntime* find_group(const std::string& name, ControlResult& out) const;
  const ServerEntry* find_server(const GroupRuntime& group, const std::string& address, ControlResult& out) const;
  const ListenerRuntime* find_listener(const std::string& name, ControlResult& out) const;
  void warn_if_last(const GroupRuntime& group, const ServerEntry& server, ControlResult& out) const;
  ControlResult find_rule_and_set(const std::string& rule, const std::map<std::string, std::uint32_t>& weights,
                                  bool reset, bool dry_run);
  ControlResult set_route_weights(const Route& route, const std::map<std::string, std::uint32_t>& weights, bool reset,
                                  bool dry_run);
  void changed();
  void start_drain(const std::shared_ptr<ServerSlot>& slot, Nanos window, Drained done);
  void end_drain(const std::shared_ptr<ServerSlot>& slot);

  Serving& serving_;
  std::function<std::string()> refusal_;
  Overrides overrides_;
  std::set<std::string> held_;  // rules
  std::uint64_t version_ = 0;
  std::deque<JournalEntry> journal_;
  std::map<Overrides::Key, std::shared_ptr<DrainStatus>> drains_;  // the last drain of each server
};

}  // namespace albatross
