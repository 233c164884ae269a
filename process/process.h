// The process: listening sockets, workers, the prober, names, reload, drain. Lives on the control thread, which runs an
// Asio io_context; `post` and `stop` may come from any thread, everything else is the control thread's.
//
//   Server s(config, options);  s.start(diagnostics)  ->  s.run() until drained  ->  s.~Process()
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "healthcheck/outlier.h"
#include "healthcheck/prober.h"
#include "net/resolver.h"
#include "process/builder.h"
#include "process/control.h"
#include "process/hand_over.h"
#include "process/port_watch.h"
#include "proxy/overload.h"
#include "proxy/worker.h"
#include "telemetry/access_log.h"

namespace albatross {

struct ProcessOptions {
  const Clock* clock = nullptr;                 // null: the real one
  std::string name_servers;                     // for tests
  std::function<void(const std::string&)> log;  // events, one line each; null: stderr
  std::function<void()> handed_over = nullptr;  // a new process serves: what else it wants is to be left now
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

class Process {
 public:
  Process(std::shared_ptr<const config::Config> config, ProcessOptions options);
  ~Process();

  // Before start(): listens on what another process has handed over, where the configuration wants it.
  void take_over(HandOver from);
  // Binds, resolves, compiles and starts the workers. On failure nothing is left open, and `out` or `error` says why.
  bool start(config::Diagnostics& out, std::string& error);
  // Runs the control loop until the drain is over.
  void run();
  boost::asio::io_context& io() { return io_; }

  // Parses and checks off the control thread, then takes effect, or nothing changes. `done` on the control thread.
  void reload(std::function<void(ReloadResult)> done);
  // The next reload() reads from here; empty: the file of the start.
  void set_config_file(const std::string& file) { file_ = file; }
  // First call: shutdown.delay, then drain, unless that is under way. Second call: at once. Control thread;
  // stop_from_anywhere() from others.
  void stop();
  void stop_from_anywhere();
  // Drains and ends, and says how it went before it does. `done` (may be null) gets what to call when the answer has
  // been sent.
  void drain_process(std::function<void(const DrainReport&, std::function<void()> sent)> done);
  // To the process at the other end of a unix stream socket, which is ours from here on: see HandOver. When it serves,
  // this one drains and ends; if it does not, this one goes on.
  void hand_over(int fd);
  void reopen_logs() { log_->reopen(); }

  // Runtime changes: in force on every worker when its loop turns next; they live until the file changes what they
  // override. nullopt, or `reset`: what the file says. `dry_run`: only says what would be. `rule` is LISTENER/RULE.
  ControlResult set_server_weight(const std::string& group, const std::string& address,
                                  std::optional<std::uint32_t> weight, bool dry_run);
  ControlResult set_rule_weights(const std::string& rule, const std::map<std::string, std::uint32_t>& weights,
                                 bool reset, bool dry_run);
  // `window`: nullopt for the group's connection_drain. `done` (may be null) when nothing is left on the server.
  using Drained = std::function<void(const DrainReport&)>;
  ControlResult drain_server(const std::string& group, const std::string& address, std::optional<Nanos> window,
                             bool dry_run, Drained done);
  ControlResult undrain_server(const std::string& group, const std::string& address, bool dry_run);
  // Its sockets close; `window`: nullopt for shutdown.drain.
  ControlResult drain_listener(const std::string& name, std::optional<Nanos> window, bool dry_run, Drained done);
  ControlResult undrain_listener(const std::string& name, bool dry_run);
  const std::deque<JournalEntry>& journal() const { return journal_; }
  const Overrides& overrides() const { return overrides_; }
  const std::map<Overrides::Key, std::shared_ptr<DrainStatus>>& drains() const { return drains_; }

  // For admin and tests.
  const Snapshot& snapshot() const { return *snapshot_; }
  const config::Config& config() const { return *config_; }
  StatsRegistry& stats() { return *stats_; }
  const AccessLog& access_log() const { return *log_; }
  ServerTable& servers() { return servers_; }
  const Prober& prober() const { return *prober_; }
  const PortWatch& ports() const { return ports_; }
  const Resources& resources() const { return resources_; }
  OverloadLevel overload() const { return overload_.load(); }
  std::vector<CertificateStatus> certificates() const;
  bool draining() const { return draining_; }
  // Of the clock that slots are marked by.
  Nanos now() const { return clock_.now(); }
  Nanos started_at() const { return started_wall_; }
  std::uint64_t reloads() const { return reloads_; }
  std::uint64_t failed_reloads() const { return failed_reloads_; }
  // The real port of a listener; 0 if there is none.
  std::uint16_t port(const std::string& listener) const;
  std::string address(const std::string& listener) const;

 private:
  struct OpenListener {
    SocketAddress wanted;
    std::vector<ListenSocket> sockets;
    bool serving = false;  // by some configuration already
    bool secure = false;
    std::string tls_fingerprint;
  };
  using OpenListeners = std::map<std::string, OpenListener>;
  struct Built;

  void log(const std::string& line);
  bool address_of(const config::Bind& bind, SocketAddress& out, std::string& error);
  bool open_missing(const config::Config& config, OpenListeners& opened, config::Diagnostics& out);
  void close(OpenListeners& opened);
  void take_sockets(const std::string& name, OpenListener& into);
  bool add_siblings(OpenListeners& opened, std::string& error);
  bool takes_changes(ControlResult& out) const;
  void wake_queues(const std::string& group);
  std::vector<WorkerListen> listens_of(const std::string& name, std::size_t worker) const;
  std::map<std::string, std::uint16_t> port_numbers(const OpenListeners& extra) const;
  void close_listeners();
  const ListenerRuntime* find_listener(const std::string& name, ControlResult& out) const;
  void leave_listener(const std::string& name, Nanos window, Drained done);
  HandOver what_to_hand_over() const;
  void handed_over(int fd);
  Names current_names() const;
  std::shared_ptr<Built> build(std::shared_ptr<const config::Config> config,
                               const std::map<std::string, std::uint16_t>& ports, const Names& names,
                               Overrides overrides, config::Diagnostics& out, const Snapshot* keep_listeners);
  void install(std::shared_ptr<Built> built, OpenListeners opened);
  void reload_with(std::shared_ptr<const config::Config> config, std::shared_ptr<config::Diagnostics> out,
                   std::function<void(ReloadResult)> done);
  void names_changed();
  void warn_of_restart(const config::Config& next, config::Diagnostics& out) const;
  void finish_reload(std::shared_ptr<Built> built, std::shared_ptr<config::Diagnostics> out, OpenListeners opened,
                     const std::function<void(ReloadResult)>& done);
  std::vector<OutlierGroup> outlier_groups() const;
  void begin_slow_starts(const Snapshot& next);
  const GroupRuntime* find_group(const std::string& name, ControlResult& out) const;
  const ServerEntry* find_server(const GroupRuntime& group, const std::string& address, ControlResult& out) const;
  bool is_last(const GroupRuntime& group, const ServerEntry& server) const;
  ControlResult set_route_weights(const Route& route, const std::map<std::string, std::uint32_t>& weights, bool reset,
                                  bool dry_run);
  void note(const std::string& what);
  void apply_overrides();
  void overrides_changed();
  // To be called by each worker with its part; `done` with the sum, on the control thread.
  Drained sum_of_workers(Drained done);
  void note_drained(const std::string& what, const DrainReport& report);
  void start_drain(const std::shared_ptr<ServerSlot>& slot, Nanos window, Drained done);
  void end_drain(const std::shared_ptr<ServerSlot>& slot);
  void drain_removed(const Snapshot& old);
  void join_builder();
  void wait_for_loop();
  void turn_loop();
  void retire(std::unique_ptr<WorkerSnapshot> s);
  void begin_stop();
  void begin_drain();
  void drained(const DrainReport& report);
  void rotate_tickets();
  void start_watch();
  void watch();
  void end_largest();
  void overload_changed(OverloadLevel before, OverloadLevel now);
  void health_changed(const ServerSlot& slot, Health health);

  ProcessOptions options_;
  Clock real_clock_;
  const Clock& clock_;
  boost::asio::io_context io_;
  std::shared_ptr<const config::Config> config_;
  std::string file_;
  int workers_wanted_;
  std::unique_ptr<StatsRegistry> stats_;
  std::unique_ptr<AccessLog> log_;
  ServerTable servers_;
  std::shared_ptr<TicketKeys> tickets_;
  std::shared_ptr<const Snapshot> snapshot_;
  Overrides overrides_;
  std::deque<JournalEntry> journal_;
  std::map<Overrides::Key, std::shared_ptr<DrainStatus>> drains_;  // the last of each server
  bool weights_pending_ = false;
  OpenListeners listeners_;                // those that are drained have closed sockets
  std::vector<HandOver::Listener> taken_;  // from the process before, until start() has what it wants of them
  std::vector<std::shared_ptr<ServerSlot>> inherited_;
  std::vector<std::unique_ptr<Worker>> workers_;

  Loop loop_;  // probes and names; nested in io_
  SessionContext context_;
  std::unique_ptr<Prober> prober_;
  std::unique_ptr<Outliers> outliers_;
  PortWatch ports_;
  Resources resources_;
  std::atomic<OverloadLevel> overload_{OverloadLevel::kNone};
  std::uint64_t own_descriptors_ = 0;  // all but connections
  std::uint64_t watches_ = 0;
  MemberTimer<Process, &Process::watch> watch_timer_{this};
  std::unique_ptr<Resolver> resolver_;
  boost::asio::posix::stream_descriptor loop_events_;
  boost::asio::steady_timer loop_timer_;
  boost::asio::steady_timer shutdown_timer_;
  boost::asio::steady_timer ticket_timer_;

  std::thread builder_;
  bool building_ = false;
  bool names_pending_ = false;
  bool draining_ = false;
  bool stopping_ = false;
  bool told_to_stop_ = false;  // by a signal
  bool drain_begun_ = false;
  bool handing_over_ = false;
  bool handed_over_ = false;
  std::vector<std::function<void(const DrainReport&, std::function<void()>)>> tell_drained_;
  std::uint64_t generation_ = 0;
  std::uint64_t reloads_ = 0;
  std::uint64_t failed_reloads_ = 0;
  Nanos started_wall_ = 0;
};

// Threads for `workers: auto`: a core each, within the cgroup's quota and the affinity mask.
int auto_workers();

}  // namespace albatross
