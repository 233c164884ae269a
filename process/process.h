// The process: starts its parts (sockets, workers, probes, names, reload), installs what is built, stops and hands
// over. main owns it. It lives on the control thread, which runs an Asio io_context. Any thread may call
// stop_from_anywhere(); everything else is for the control thread.
//
//   Process p(config, options);  p.start(diagnostics, error)  ->  p.run() until drained  ->  p.~Process()
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "healthcheck/outlier.h"
#include "healthcheck/prober.h"
#include "net/file_watch.h"
#include "net/resolver.h"
#include "process/control.h"
#include "process/hand_over.h"
#include "process/nested_loop.h"
#include "process/operator.h"
#include "process/overload_watch.h"
#include "process/reloader.h"
#include "process/rollout/rollouts.h"
#include "process/serving.h"
#include "telemetry/access_log.h"

namespace albatross {

enum class ProcessStage : std::uint8_t { kServing, kReloading, kStopping };

struct ProcessOptions {
  const Clock* clock = nullptr;                 // null: the real one
  std::string name_servers;                     // for tests
  EventLog log;                                 // events; null: lines on standard error
  std::function<void()> handed_over = nullptr;  // called when a new process serves, to close the admin socket
  // Explains the request in the event log; on the control thread. Null: `explain` of listeners has no effect.
  std::function<void(const AskedRequest&)> asked = nullptr;
  // Called when the stage changes, but not when a new process has taken over. May be null.
  std::function<void(ProcessStage)> stage = nullptr;
};

class Process final : public Control, private Installer {
 public:
  Process(std::shared_ptr<const config::Config> config, ProcessOptions options);
  ~Process();

  // To be called before start(): uses the sockets that another process has handed over, if the configuration has their
  // address.
  void take_over(HandOver from);
  // Binds the sockets, resolves names, builds, and starts the workers. On failure returns false with nothing left open,
  // and `out` or `error` says why.
  bool start(config::Diagnostics& out, std::string& error);
  // Runs the control loop until the drain is over.
  void run() { serving_io_.run(); }

  // The first call drains after shutdown.delay, unless a drain is under way. The second call ends the process at once.
  void stop();
  void stop_from_anywhere();
  // Opens the access log's file again, after it was rotated. The event log has the result.
  void reopen_logs();
  // The file that the next reload() reads; empty: there is none.
  void set_config_file(const std::string& file);
  // Where sources report changes of names and servers.
  ConfigSink& changes_of_config() { return *reloader_; }

  // Control
  boost::asio::io_context& io() override { return serving_io_; }
  RuntimeChanges& changes() override { return *operator_; }
  RolloutControl& rollouts() override { return *rollouts_; }
  ProcessView view() const override;
  std::string address(const std::string& listener) const override;
  std::vector<CertificateStatus> certificates() const override;
  void reload(std::function<void(ReloadResult)> done) override;
  std::string preview(Look look, std::function<void()> done) override;
  void drain_process(std::function<void(const DrainReport&, std::function<void()> sent)> done) override;
  void hand_over(int fd) override;

  // Calls `done` on the control thread when each worker has had a turn.
  void when_workers_turn(std::function<void()> done);

  // The port that a listener is bound to; 0 if there is none.
  std::uint16_t port(const std::string& listener) const;
  const Snapshot& snapshot() const { return *serving_.snapshot; }

 private:
  // Installer
  void install(Built built, Sockets::Map opened) override;
  void install_groups(Built built, const std::vector<std::string>& names) override;
  const Overrides& overrides(std::uint64_t& version) const override;
  Names addresses(const std::vector<std::string>& names) const override;
  void watch_names(const std::vector<std::string>& names) override { resolver_->watch(names); }
  std::string refusal() const override;
  void note(Level level, const std::string& what) override { operator_->note(level, what); }

  void log(Level level, const std::string& what);
  void tell(ProcessStage stage) const;
  WorkerSettings worker_settings(int index, std::uint64_t connections, const std::string& instance);
  void resolve_names();
  std::vector<std::string> changed_listeners(const Snapshot& old) const;
  void groups_installed(const std::map<std::string, std::vector<ProbeTarget>>& probes);
  std::vector<OutlierGroup> outlier_groups() const;
  const Sockets::Open* open_of(const std::string& listener) const;
  HandOver what_to_hand_over() const;
  void handed_over(int fd);
  void begin_stop();
  void begin_drain();
  void drained(const DrainReport& report);
  void rotate_tickets();

  ProcessOptions options_;
  Clock real_clock_;
  const Clock& clock_;
  int workers_wanted_;
  StatsRegistry stats_;  // declared before the io_context: parts that are destroyed with it refer to these
  boost::asio::io_context serving_io_;
  std::unique_ptr<AccessLog> log_;
  ServerTable servers_;
  std::shared_ptr<TicketKeys> tickets_;
  std::vector<std::shared_ptr<ServerSlot>> inherited_;  // of the process before this one, until start()
  Serving serving_;
  NestedLoop nested_;
  std::unique_ptr<Operator> operator_;
  std::unique_ptr<Rollouts> rollouts_;
  std::unique_ptr<OverloadWatch> watch_;
  std::unique_ptr<Prober> prober_;
  std::unique_ptr<Outliers> outliers_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<FileWatch> certificate_files_;
  boost::asio::steady_timer shutdown_timer_;
  boost::asio::steady_timer ticket_timer_;

  enum class Stage : std::uint8_t { kServing, kDelay, kDraining };
  Stage stage_ = Stage::kServing;
  bool handing_over_ = false;
  bool told_to_stop_ = false;  // by stop()
  bool handed_over_ = false;
  std::vector<std::function<void(const DrainReport&, std::function<void()>)>> tell_drained_;
  Nanos started_wall_ = 0;
};

// The number of workers for `workers: auto`: one for each core that the affinity mask and the cgroup's quota allow.
int auto_workers();

}  // namespace albatross
