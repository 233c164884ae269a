// What the process offers to interfaces on the control thread, such as the admin API: verbs and a view, not the Process
// itself. The Process implements Control and owns what the view refers to. Control thread, except for io().
#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "healthcheck/prober.h"
#include "process/config_source.h"
#include "process/overrides.h"
#include "process/port_watch.h"
#include "process/rollout/rollout.h"
#include "proxy/drain.h"
#include "proxy/overload.h"
#include "proxy/snapshot.h"
#include "proxy/stats.h"
#include "telemetry/access_log.h"

namespace albatross {

struct ControlResult {
  enum class Code : std::uint8_t { kDone, kNotFound, kRefused };
  Code code = Code::kDone;
  std::string message;  // what was done or would be done; or why not, and what exists instead
  std::vector<std::string> warnings;
  bool ok() const { return code == Code::kDone; }
};

// The result for a thing that does not exist. `known`: the ones that exist.
ControlResult not_found(std::string what, const std::vector<std::string>& known);

// An entry of the journal: a change at runtime.
struct JournalEntry {
  Nanos wall = 0;
  std::string what;
};

// The drain of a server that is under way, or its last one.
struct DrainStatus {
  bool over = false;
  Nanos began_wall = 0;
  std::shared_ptr<ServerSlot> slot;
  DrainReport report;
};

struct ReloadResult {
  bool ok = false;
  std::string message;      // "configuration 3 is in force", or all errors as `albatross check` prints them
  std::string diagnostics;  // JSON
};

// The last reload: its result, and when it ended.
struct LastReload {
  Nanos wall = 0;  // nanoseconds since 1970; 0: there was none
  bool ok = false;
  std::string message;
};

struct CertificateStatus {
  std::string listener;
  std::string file;
  std::vector<std::string> names;
  std::int64_t not_after = 0;  // seconds since the epoch
};

// Changes of the running process. Each worker sees them in the next turn of its loop. They last until the file changes
// what they override. nullopt, or `reset`: restores the file's value. `dry_run`: only says what would be done.
class RuntimeChanges {
 public:
  virtual ControlResult set_server_weight(const std::string& group, const std::string& address,
                                          std::optional<std::uint32_t> weight, bool dry_run) = 0;
  // `rule` is LISTENER/RULE.
  virtual ControlResult set_rule_weights(const std::string& rule, const std::map<std::string, std::uint32_t>& weights,
                                         bool reset, bool dry_run) = 0;
  // `window` is in nanoseconds; nullopt: the group's connection_drain. `done` (may be null) is called when nothing runs
  // on the server any more.
  using Drained = std::function<void(const DrainReport&)>;
  virtual ControlResult drain_server(const std::string& group, const std::string& address, std::optional<Nanos> window,
                                     bool dry_run, Drained done) = 0;
  virtual ControlResult undrain_server(const std::string& group, const std::string& address, bool dry_run) = 0;
  // Closes the listener's sockets and drains its connections. `window`: nullopt for shutdown.drain.
  virtual ControlResult drain_listener(const std::string& name, std::optional<Nanos> window, bool dry_run,
                                       Drained done) = 0;
  virtual ControlResult undrain_listener(const std::string& name, bool dry_run) = 0;

 protected:
  ~RuntimeChanges() = default;
};

// A rollout for people, with what its groups have done in this step.
struct RolloutView {
  struct Arm {
    std::uint64_t requests = 0, failures = 0;
    Nanos p99 = 0;  // until the head of the answer
  };
  const Rollout* rollout = nullptr;
  std::vector<std::uint32_t> steps;  // percent; empty once it is closed
  Nanos pause = 0;
  std::uint32_t minimum = 0;
  Arm new_arm, old_arm;  // while it is open
};

class RolloutControl {
 public:
  enum class Verb : std::uint8_t { kStart, kPause, kPromote, kAbort, kUndo };
  // `rule` is LISTENER/RULE. start goes on with one that is paused; promote gives the new group everything at once;
  // undo puts the weights of the file back.
  virtual ControlResult act(const std::string& rule, Verb verb, bool dry_run) = 0;
  // The last one of each rule, and those before them.
  virtual std::vector<RolloutView> all() const = 0;

 protected:
  ~RolloutControl() = default;
};

// The state of the process. The references are valid until the control thread does something else.
struct ProcessView {
  const Snapshot& snapshot;
  const config::Config& config;
  StatsRegistry& stats;
  const AccessLog& log;
  const Prober& prober;
  const PortWatch& ports;
  const Resources& resources;
  const Overrides& overrides;
  const std::map<Overrides::Key, std::shared_ptr<DrainStatus>>& drains;
  const std::deque<JournalEntry>& journal;
  OverloadLevel overload;
  bool draining;
  Nanos now;         // nanoseconds of the clock that the times in slots refer to
  Nanos started_at;  // wall time, nanoseconds
  std::uint64_t reloads;
  std::uint64_t failed_reloads;
  const LastReload& last_reload;
  const std::vector<std::string>& needs_restart;  // keys whose new values take effect only in a new process
};

class Control {
 public:
  virtual boost::asio::io_context& io() = 0;
  virtual RuntimeChanges& changes() = 0;
  virtual RolloutControl& rollouts() = 0;
  virtual ProcessView view() const = 0;
  // The address that a listener is bound to; "" if it is not.
  virtual std::string address(const std::string& listener) const = 0;
  virtual std::vector<CertificateStatus> certificates() const = 0;

  // Reads and builds the configuration on the builder thread, then installs it; after an error nothing changes. `done`
  // is called on the control thread.
  virtual void reload(std::function<void(ReloadResult)> done) = 0;
  // Reads the file on the builder thread and gives it, with the configuration in force, to `look` there; then calls
  // `done` on the control thread. Installs nothing. Returns why it cannot begin; empty if it has.
  using Look = std::function<void(const config::Config& now, const ConfigSource::Read& next)>;
  virtual std::string preview(Look look, std::function<void()> done) = 0;
  // Drains the process and ends it. `done` (may be null) is called with the report before that; it must call `sent`
  // when the report has been delivered.
  virtual void drain_process(std::function<void(const DrainReport&, std::function<void()> sent)> done) = 0;
  // Hands over to the process at the other end of a unix stream socket, and takes the descriptor: see HandOver. When
  // the other process serves, this one drains and ends. If it does not, this one goes on.
  virtual void hand_over(int fd) = 0;

 protected:
  ~Control() = default;
};

}  // namespace albatross
