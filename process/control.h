// What guests of the control thread (the admin API, later others) are given of the process: its verbs and a view of it,
// not the process itself. Control thread, but for io().
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
#include "process/overrides.h"
#include "process/port_watch.h"
#include "proxy/drain.h"
#include "proxy/overload.h"
#include "proxy/snapshot.h"
#include "proxy/stats.h"
#include "telemetry/access_log.h"

namespace albatross {

struct ControlResult {
  enum class Code : std::uint8_t { kDone, kNotFound, kRefused };
  Code code = Code::kDone;
  std::string message;  // what was done, or would be; or why not and what is there instead
  std::vector<std::string> warnings;
  bool ok() const { return code == Code::kDone; }
};

// What was asked for is not there; `known` is.
ControlResult not_found(std::string what, const std::vector<std::string>& known);

// A change at runtime, for the journal.
struct JournalEntry {
  Nanos wall = 0;
  std::string what;
};

// The last drain of a server, or the one under way.
struct DrainStatus {
  bool over = false;
  Nanos began_wall = 0;
  std::shared_ptr<ServerSlot> slot;
  DrainReport report;
};

struct ReloadResult {
  bool ok = false;
  std::string message;      // "configuration 3 is in force", or every error as check prints it
  std::string diagnostics;  // JSON
};

struct CertificateStatus {
  std::string listener;
  std::string file;
  std::vector<std::string> names;
  std::int64_t not_after = 0;  // seconds since the epoch
};

// Changes of the running process: in force on every worker when its loop turns next; they live until the file changes
// what they override. nullopt, or `reset`: what the file says. `dry_run`: only says what would be.
class RuntimeChanges {
 public:
  virtual ControlResult set_server_weight(const std::string& group, const std::string& address,
                                          std::optional<std::uint32_t> weight, bool dry_run) = 0;
  // `rule` is LISTENER/RULE.
  virtual ControlResult set_rule_weights(const std::string& rule, const std::map<std::string, std::uint32_t>& weights,
                                         bool reset, bool dry_run) = 0;
  // `window`: nullopt for the group's connection_drain. `done` (may be null) when nothing is left on the server.
  using Drained = std::function<void(const DrainReport&)>;
  virtual ControlResult drain_server(const std::string& group, const std::string& address, std::optional<Nanos> window,
                                     bool dry_run, Drained done) = 0;
  virtual ControlResult undrain_server(const std::string& group, const std::string& address, bool dry_run) = 0;
  // Its sockets close; `window`: nullopt for shutdown.drain.
  virtual ControlResult drain_listener(const std::string& name, std::optional<Nanos> window, bool dry_run,
                                       Drained done) = 0;
  virtual ControlResult undrain_listener(const std::string& name, bool dry_run) = 0;

 protected:
  ~RuntimeChanges() = default;
};

// What is so at the moment. References are good until the control thread does something else.
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
  Nanos now;         // of the clock that slots are marked by
  Nanos started_at;  // wall
  std::uint64_t reloads;
  std::uint64_t failed_reloads;
};

class Control {
 public:
  virtual boost::asio::io_context& io() = 0;
  virtual RuntimeChanges& changes() = 0;
  virtual ProcessView view() const = 0;
  // Where a listener really listens; "" if it does not.
  virtual std::string address(const std::string& listener) const = 0;
  virtual std::vector<CertificateStatus> certificates() const = 0;

  // Parses and checks off the control thread, then takes effect, or nothing changes. `done` on the control thread.
  virtual void reload(std::function<void(ReloadResult)> done) = 0;
  // Drains and ends, and says how it went before it does. `done` (may be null) gets what to call when the answer has
  // been sent.
  virtual void drain_process(std::function<void(const DrainReport&, std::function<void()> sent)> done) = 0;
  // To the process at the other end of a unix stream socket, which is ours from here on: see HandOver. When it serves,
  // this one drains and ends; if it does not, this one goes on.
  virtual void hand_over(int fd) = 0;

 protected:
  ~Control() = default;
};

}  // namespace albatross
