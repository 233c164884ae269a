// Start-up, drain and the control loop. Reload is in server_reload.cc.
#include "process/process.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "process/built.h"
#include "tls/tls_server.h"

namespace albatross {
namespace {

constexpr auto kTicketLife = std::chrono::hours(8);

std::string instance_name() {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(random_key()[0]));
  return text;
}

// The smaller of the configured limit and what descriptors allow: two a request, and a reserve.
std::uint64_t connection_limit(std::uint64_t wanted) {
  rlimit l{};
  getrlimit(RLIMIT_NOFILE, &l);
  l.rlim_cur = l.rlim_max;
  setrlimit(RLIMIT_NOFILE, &l);
  std::uint64_t usable = l.rlim_cur > 512 ? (l.rlim_cur - 256) : l.rlim_cur / 2;
  return std::min<std::uint64_t>(wanted, std::max<std::uint64_t>(usable * 3 / 4, 16));
}

}  // namespace

int auto_workers() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  std::ifstream quota("/sys/fs/cgroup/cpu.max");
  std::string max;
  double period = 0;
  if (quota >> max >> period && max != "max" && period > 0) {
    cores = std::min(cores, std::max(1, static_cast<int>(std::stod(max) / period + 0.5)));
  }
  return std::clamp(cores, 1, static_cast<int>(GroupSlot::kWorkers));
}

Process::Process(std::shared_ptr<const config::Config> config, ProcessOptions options)
    : options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : real_clock_),
      config_(std::move(config)),
      file_(config_->file),
      workers_wanted_(config_->workers != 0 ? static_cast<int>(config_->workers) : auto_workers()),
      stats_(std::make_unique<StatsRegistry>(workers_wanted_)),
      log_(std::make_unique<AccessLog>(config_->access_log, workers_wanted_)),
      tickets_(std::make_shared<TicketKeys>()),
      loop_(clock_),
      context_(loop_),
      loop_events_(io_),
      loop_timer_(io_),
      shutdown_timer_(io_),
      ticket_timer_(io_) {
  prober_ = std::make_unique<Prober>(context_, [this](const ServerSlot& s, Health h) { health_changed(s, h); });
  outliers_ = std::make_unique<Outliers>(loop_, [this](const ServerSlot& s, const std::string& why) {
    servers_.group(s.group)->ejections.fetch_add(1, std::memory_order_relaxed);
    log("server " + s.group + "/" + s.address + " is ejected: " + why);
  });
  resolver_ = std::make_unique<Resolver>(
      loop_, [this] { boost::asio::post(io_, [this] { names_changed(); }); }, options_.name_servers);
}

Process::~Process() {
  join_builder();
  for (auto& w : workers_) w->join();
  // A stopped worker's retired snapshots were posted here; they die with the queue.
  loop_events_.release();
  workers_.clear();
  loop_.cancel_timer(watch_timer_);
  outliers_.reset();
  prober_.reset();
  resolver_.reset();
  log_->stop();
  close_listeners();
}

void Process::log(const std::string& line) {
  if (options_.log) return options_.log(line);
  std::cerr << "albatross: " + line + "\n";
}

bool Process::start(config::Diagnostics& out, std::string& error) {
  started_wall_ = clock_.wall();
  std::uint64_t limit = connection_limit(config_->max_connections);
  if (!log_->open(error)) return false;
  OpenListeners opened;
  if (!open_missing(*config_, opened, out)) return false;
  for (auto& l : taken_) {  // what this configuration does not want
    for (ListenSocket& socket : l.sockets) ::close(socket.fd);
  }
  taken_.clear();
  resolver_->watch(Builder::names(*config_));
  // Names get a moment; what is not known by then comes later, and is said.
  for (Nanos until = loop_.now() + 3 * kSecond; !resolver_->settled() && loop_.now() < until;) loop_.turn(50 * kMilli);
  for (const std::string& name : Builder::names(*config_)) {
    if (resolver_->addresses(name).empty())
      log("server " + name + ": " + resolver_->failure(name) + ": no address yet, will retry");
  }
  std::shared_ptr<Built> built = build(config_, port_numbers(opened), current_names(), overrides_, out, nullptr);
  if (!out.ok()) {
    close(opened);
    return false;
  }
  if (!add_siblings(opened, error)) {
    close(opened);
    return false;
  }
  inherited_.clear();
  std::string instance = instance_name();
  for (int i = 0; i < workers_wanted_; ++i) {
    WorkerSettings w;
    w.index = i;
    w.max_connections =
        static_cast<std::uint32_t>(std::max<std::uint64_t>(1, limit / static_cast<std::uint64_t>(workers_wanted_)));
    w.log = log_.get();
    w.overload = &overload_;
    w.stats = stats_.get();
    w.instance = instance;
    w.event = [this](std::string what) { boost::asio::post(io_, [this, what = std::move(what)] { log(what); }); };
    w.wake_queue = [this](int worker, const std::string& group) {
      Worker* to = workers_[static_cast<std::size_t>(worker)].get();
      to->loop().post([to, group] { to->serve_queue(group); });
    };
    w.retire = [this](std::unique_ptr<WorkerSnapshot> s) { retire(std::move(s)); };
    workers_.push_back(std::make_unique<Worker>(clock_, std::move(w)));
  }
  install(std::move(built), std::move(opened));
  for (auto& w : workers_) w->start();
  loop_events_.assign(loop_.descriptor());
  start_watch();
  wait_for_loop();
  rotate_tickets();
  return true;
}

std::uint16_t Process::port(const std::string& listener) const {
  auto it = listeners_.find(listener);
  return it == listeners_.end() || it->second.sockets.empty() ? std::uint16_t{0} : it->second.sockets[0].address.port();
}

std::string Process::address(const std::string& listener) const {
  auto it = listeners_.find(listener);
  return it == listeners_.end() || it->second.sockets.empty() ? "" : it->second.sockets[0].address.to_string();
}

std::vector<CertificateStatus> Process::certificates() const {
  std::vector<CertificateStatus> out;
  for (const auto& l : snapshot_->listeners) {
    if (!l->tls) continue;
    for (const CertificateInfo& c : l->tls->certificates()) out.push_back({l->name, c.file, c.names, c.not_after});
  }
  return out;
}

// ---- the nested loop ----

void Process::wait_for_loop() {
  loop_events_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code ec) {
    if (ec) return;
    turn_loop();
    wait_for_loop();
  });
  turn_loop();
}

void Process::turn_loop() {
  loop_.turn(0);
  Nanos wait = std::min<Nanos>(loop_.next_deadline(), 3600 * kSecond);
  if (!clock_.runs()) wait = std::min<Nanos>(wait, 5 * kMilli);
  loop_timer_.expires_after(std::chrono::nanoseconds(wait));
  loop_timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec) turn_loop();
  });
}

void Process::run() { io_.run(); }

void Process::rotate_tickets() {
  ticket_timer_.expires_after(kTicketLife);
  ticket_timer_.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    tickets_->rotate();
    rotate_tickets();
  });
}

void Process::retire(std::unique_ptr<WorkerSnapshot> s) {
  std::shared_ptr<WorkerSnapshot> shared(std::move(s));
  boost::asio::post(io_, [shared] {});  // dies there
}

// ---- stopping ----

void Process::stop_from_anywhere() {
  boost::asio::post(io_, [this] { stop(); });
}

void Process::stop() {
  if (told_to_stop_) {
    log("stopping at once");
    io_.stop();
    return;
  }
  told_to_stop_ = true;
  begin_stop();
}

void Process::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  draining_ = true;  // /health says so during the delay
  Nanos delay = static_cast<Nanos>(config_->shutdown.delay->count()) * kMilli;
  if (delay == 0) return begin_drain();
  log("stopping: draining in " + std::to_string(delay / kMilli) + " ms");
  shutdown_timer_.expires_after(std::chrono::nanoseconds(delay));
  shutdown_timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec) begin_drain();
  });
}

void Process::begin_drain() {
  if (drain_begun_) return;
  drain_begun_ = true;
  shutdown_timer_.cancel();
  Nanos window = static_cast<Nanos>(config_->shutdown.drain->count()) * kMilli;
  auto part = sum_of_workers([this](const DrainReport& r) { drained(r); });
  // Said when it is so on every worker.
  auto begun = [this, window, left = std::make_shared<std::size_t>(workers_.size())] {
    if (--*left > 0) return;
    close_listeners();
    log("draining for at most " + std::to_string(window / kMilli) + " ms");
  };
  for (auto& w : workers_) {
    Worker* worker = w.get();
    worker->loop().post([this, worker, window, begun, part, taken = handed_over_] {
      worker->stop_accepting(!taken);
      worker->drain_all(window, part);
      boost::asio::post(io_, begun);
    });
  }
}

void Process::drain_process(std::function<void(const DrainReport&, std::function<void()>)> done) {
  if (done) tell_drained_.push_back(std::move(done));
  begin_stop();
}

// Who waits for the report gets it before the process ends.
void Process::drained(const DrainReport& report) {
  note_drained("the process", report);
  if (tell_drained_.empty()) return io_.stop();
  auto told = std::make_shared<std::size_t>(tell_drained_.size());
  for (auto& tell : tell_drained_) {
    tell(report, [this, told] {
      if (--*told == 0) io_.stop();
    });
  }
}

}  // namespace albatross
