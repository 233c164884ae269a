// Start, installing what was built, and the view for interfaces. The end is in process_stop.cc.
#include "process/process.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>

#include "process/config_source.h"
#include "process/state_folder.h"
#include "tls/tls_server.h"

namespace albatross {
namespace {

std::string instance_name() {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(random_key()[0]));
  return text;
}

// The smaller of the configured limit and three quarters of what the descriptor limit leaves after a reserve.
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
      workers_wanted_(config->workers != 0 ? static_cast<int>(config->workers) : auto_workers()),
      stats_(workers_wanted_),
      log_(std::make_unique<AccessLog>(config->access_log, workers_wanted_)),
      tickets_(std::make_shared<TicketKeys>()),
      serving_(serving_io_, clock_, workers_wanted_),
      nested_(serving_io_, clock_),
      shutdown_timer_(serving_io_),
      ticket_timer_(serving_io_) {
  serving_.log = [this](Level level, const std::string& what) { log(level, what); };
  serving_.config = std::move(config);
  operator_ = std::make_unique<Operator>(serving_, [this] { return refusal(); });
  rollouts_ = std::make_unique<Rollouts>(serving_, stats_, *operator_);
  watch_ = std::make_unique<OverloadWatch>(nested_.loop(), serving_, stats_);
  prober_ = std::make_unique<Prober>(nested_.sessions(),
                                     [this](const ServerSlot& s, Health h) { operator_->health_changed(s, h); });
  outliers_ = std::make_unique<Outliers>(nested_.loop(), [this](const ServerSlot& s, const std::string& why) {
    servers_.group(s.group)->ejections.fetch_add(1, std::memory_order_relaxed);
    log(Level::kWarning, "server " + s.group + "/" + s.address + " is ejected: " + why);
  });
  reloader_ = std::make_unique<Reloader>(serving_, BuildContext{servers_, stats_, tickets_, workers_wanted_},
                                         static_cast<Installer&>(*this));
  resolver_ = std::make_unique<Resolver>(
      nested_.loop(),
      [this](const std::string& name) {
        boost::asio::post(serving_io_, [this, name] { reloader_->names_changed({name}); });
      },
      options_.name_servers);
  certificate_files_ = std::make_unique<FileWatch>(
      serving_io_, [this] { reloader_->certificates_changed(); },
      [this](const std::string& why) { log(Level::kWarning, why); });
  set_config_file(serving_.config->file);
}

Process::~Process() {
  reloader_.reset();  // joins the builder
  serving_.workers.join();
  serving_.workers.clear();
  watch_.reset();
  outliers_.reset();
  prober_.reset();
  resolver_.reset();
  log_->stop();
  serving_.sockets.close_all(!handed_over_ && !handing_over_);
}

void Process::log(Level level, const std::string& what) {
  if (options_.log) return options_.log(level, what);
  std::cerr << event_line(level, what, clock_.wall());
}

void Process::reopen_logs() {
  std::string error;
  if (log_->reopen(error)) return log(Level::kInfo, "the access log was reopened");
  log(Level::kError, error + "; the old file stays in use");
}

void Process::set_config_file(const std::string& file) {
  reloader_->set_source(file.empty() ? nullptr : std::make_unique<FileSource>(file));
}

// ---- start ----

WorkerSettings Process::worker_settings(int index, std::uint64_t connections, const std::string& instance) {
  WorkerSettings w;
  w.index = index;
  w.max_connections = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, connections));
  w.log = log_.get();
  w.overload = &watch_->level();
  w.stats = &stats_;
  w.instance = instance;
  w.event = [this](Level level, const std::string& what) {
    boost::asio::post(serving_io_, [this, level, what] { log(level, what); });
  };
  if (options_.asked) {
    w.asked = [this](AskedRequest asked) {
      boost::asio::post(serving_io_, [this, asked = std::move(asked)] { options_.asked(asked); });
    };
  }
  w.wake_queue = [this](int worker, const std::string& group) {
    serving_.workers.post(worker, [group](Worker& to) { to.serve_queue(group); });
  };
  w.retire = [this](std::shared_ptr<void> part) {
    boost::asio::post(serving_io_, [part = std::move(part)] {});  // destroyed on the control thread
  };
  return w;
}

// Waits for names for 3 s at most. Those that are not known by then are logged and come later.
void Process::resolve_names() {
  const std::vector<std::string> names = Builder::names(*serving_.config);
  resolver_->watch(names);
  Loop& loop = nested_.loop();
  for (Nanos until = loop.now() + 3 * kSecond; !resolver_->settled() && loop.now() < until;) loop.turn(50 * kMilli);
  for (const std::string& name : names) {
    if (!resolver_->addresses(name).empty()) continue;
    log(Level::kWarning,
        "server " + name + ": " + resolver_->failure(name) + ": no address yet; it will be resolved again");
  }
}

bool Process::start(config::Diagnostics& out, std::string& error) {
  started_wall_ = clock_.wall();
  const config::Config& config = *serving_.config;
  const std::uint64_t limit = connection_limit(config.max_connections);
  if (!log_->open(error)) return false;
  Sockets::Map opened;
  if (!serving_.sockets.open_missing(config, operator_->overrides().drained_listeners, opened, out)) return false;
  serving_.sockets.close_taken();  // those that this configuration does not use
  rollouts_->keep_in(state_folder(config));
  resolve_names();
  Built built =
      reloader_->build(serving_.config, serving_.sockets.ports(config, opened), addresses(Builder::names(config)), out);
  if (!out.ok() || !serving_.sockets.add_siblings(opened, error)) {
    Sockets::close(opened);
    return false;
  }
  inherited_.clear();
  const std::string instance = instance_name();
  for (int i = 0; i < workers_wanted_; ++i) {
    auto settings = worker_settings(i, limit / static_cast<std::uint64_t>(workers_wanted_), instance);
    serving_.workers.add(std::make_unique<Worker>(clock_, std::move(settings)));
  }
  install(std::move(built), std::move(opened));
  serving_.workers.start();
  watch_->start();
  nested_.start();
  rotate_tickets();
  return true;
}

void Process::tell(ProcessStage stage) const {
  if (options_.stage && !handed_over_) options_.stage(stage);
}

std::string Process::preview(Look look, std::function<void()> done) {
  return reloader_->preview(std::move(look), std::move(done));
}

void Process::reload(std::function<void(ReloadResult)> done) {
  tell(ProcessStage::kReloading);
  reloader_->reload([this, done = std::move(done)](ReloadResult result) {
    if (stage_ == Stage::kServing) tell(ProcessStage::kServing);
    done(std::move(result));
  });
}

void Process::when_workers_turn(std::function<void()> done) {
  auto turned = [done = std::move(done), left = std::make_shared<std::size_t>(serving_.workers.size())] {
    if (--*left == 0) done();
  };
  serving_.workers.post_all([this, turned](Worker&) { boost::asio::post(serving_io_, turned); });
}

// ---- installing ----

const Overrides& Process::overrides(std::uint64_t& version) const {
  version = operator_->version();
  return operator_->overrides();
}

Names Process::addresses(const std::vector<std::string>& names) const {
  Names out;
  for (const std::string& n : names) out[n] = resolver_->addresses(n);
  return out;
}

std::string Process::refusal() const {
  if (stage_ != Stage::kServing) return "the process is stopping";
  return handing_over_ ? "a new process is taking over: send the command to it" : "";
}

namespace {

// Whether a name that the listener had a certificate for has none now.
bool loses_names(const TlsServer& before, const TlsServer& now) {
  std::set<std::string> left;
  for (const CertificateInfo& c : now.certificates()) left.insert(c.names.begin(), c.names.end());
  for (const CertificateInfo& c : before.certificates()) {
    for (const std::string& name : c.names) {
      if (!left.contains(name)) return true;
    }
  }
  return false;
}

}  // namespace

// Listeners that stay but have changed their protocol or policy, or lost a name, so that their connections must end. A
// certificate that was renewed ends none.
std::vector<std::string> Process::changed_listeners(const Snapshot& old) const {
  std::vector<std::string> changed;
  for (const auto& now : serving_.snapshot->listeners) {
    for (const auto& before : old.listeners) {
      if (before->name != now->name) continue;
      auto fingerprint = [](const ListenerRuntime& l) { return l.tls ? l.tls->fingerprint() : std::string(); };
      const bool same = before->secure == now->secure && fingerprint(*before) == fingerprint(*now);
      if (!same || (now->tls && before->tls && loses_names(*before->tls, *now->tls))) changed.push_back(now->name);
    }
  }
  return changed;
}

namespace {

std::vector<std::string> certificate_files(const config::Config& config) {
  std::vector<std::string> files;
  for (const config::Listener& l : config.listeners) {
    for (const config::Certificate& c : l.certificates) {
      files.push_back(*c.cert);
      files.push_back(*c.key);
    }
  }
  return files;
}

// Begins the slow start of servers that join a group which is already serving.
void begin_slow_starts(const GroupRuntime* before, const GroupRuntime& now, Nanos at) {
  const bool served = before != nullptr && !before->servers.empty();
  for (const ServerEntry& e : now.servers) {
    if (!e.slot->known && served) e.slot->slow_since.store(at, std::memory_order_relaxed);
    e.slot->known = true;
  }
}

const GroupRuntime* group_named(const Snapshot* snapshot, const std::string& name) {
  if (snapshot == nullptr) return nullptr;
  for (const auto& g : snapshot->groups) {
    if (g->name == name) return g.get();
  }
  return nullptr;
}

}  // namespace

// The sockets are open already. The workers are told about the change last.
void Process::install(Built built, Sockets::Map opened) {
  std::shared_ptr<const Snapshot> old = std::exchange(serving_.snapshot, built.snapshot);
  const Snapshot& now = *serving_.snapshot;
  serving_.config = built.config;
  for (const auto& g : now.groups) begin_slow_starts(group_named(old.get(), g->name), *g, clock_.now());
  serving_.sockets.adopt(std::move(opened));
  std::shared_ptr<void> closer = serving_.sockets.drop_unwanted(now);
  operator_->apply();
  groups_installed(built.probes);
  std::vector<std::string> changed;
  std::map<std::string, Worker::Drained> drained;
  if (old) {
    changed = changed_listeners(*old);
    for (const auto& l : old->listeners) {
      drained[l->name] = serving_.workers.sum(
          [this, name = l->name](const DrainReport& r) { operator_->note_drained("listener " + name, r); });
    }
  }
  const Nanos window = config::nanos(serving_.config->shutdown.drain);
  for (int i = 0; i < workers_wanted_; ++i) {
    // shared, because a task of the loop must be copyable
    auto update = std::make_shared<WorkerUpdate>();
    update->snapshot = serving_.snapshot;
    update->matchers = std::move(built.matchers[static_cast<std::size_t>(i)]);
    auto listens = serving_.sockets.of_worker(now, i);
    serving_.workers.post(i, [update, listens, changed, window, drained, closer](Worker& w) {
      w.apply(std::move(*update), listens, changed, window, drained);
    });
  }
  if (old) operator_->drain_removed(*old);
  operator_->refresh_if_changed_since(built.overrides_version);
  rollouts_->installed();
  certificate_files_->watch(certificate_files(*serving_.config));
}

void Process::install_groups(Built built, const std::vector<std::string>& names) {
  std::shared_ptr<const Snapshot> old = std::exchange(serving_.snapshot, built.snapshot);
  serving_.config = built.config;
  for (const std::string& name : names) {
    const GroupRuntime* before = group_named(old.get(), name);
    for (const auto& g : serving_.snapshot->groups) {
      if (g->name != name || g.get() == before) continue;
      begin_slow_starts(before, *g, clock_.now());
      operator_->apply(*g);
      serving_.workers.post_all([g](Worker& w) { w.apply_group(g); });
      if (before != nullptr) operator_->drain_removed(*before, *g);
      operator_->end_drains_of(*g);
    }
  }
  groups_installed(built.probes);
  operator_->refresh_if_changed_since(built.overrides_version);
  rollouts_->installed();
}

// Tells the prober and the outlier check which servers there are.
void Process::groups_installed(const std::map<std::string, std::vector<ProbeTarget>>& probes) {
  std::set<std::string> served;
  for (const auto& g : serving_.snapshot->groups) served.insert(g->name);
  prober_->keep_groups(served);
  for (const auto& [group, targets] : probes) prober_->update(group, targets);
  outliers_->update(outlier_groups());
  servers_.sweep();
}

std::vector<OutlierGroup> Process::outlier_groups() const {
  std::vector<OutlierGroup> all;
  for (const auto& g : serving_.snapshot->groups) {
    if (!g->passive.compares()) continue;
    OutlierGroup o{g->name, g->passive, {}};
    for (const ServerEntry& e : g->servers) o.servers.push_back(e.slot);
    all.push_back(std::move(o));
  }
  return all;
}

// ---- the view for interfaces ----

ProcessView Process::view() const {
  return {.snapshot = *serving_.snapshot,
          .config = *serving_.config,
          .stats = const_cast<StatsRegistry&>(stats_),  // reading takes its lock
          .log = *log_,
          .prober = *prober_,
          .ports = watch_->ports(),
          .resources = watch_->resources(),
          .overrides = operator_->overrides(),
          .drains = operator_->drains(),
          .journal = operator_->journal(),
          .overload = watch_->level().load(),
          .draining = stage_ != Stage::kServing,
          .now = clock_.now(),
          .started_at = started_wall_,
          .reloads = reloader_->reloads(),
          .failed_reloads = reloader_->failed(),
          .last_reload = reloader_->last(),
          .needs_restart = reloader_->needs_restart()};
}

const Sockets::Open* Process::open_of(const std::string& listener) const {
  for (const auto& l : serving_.snapshot->listeners) {
    if (l->name == listener) return serving_.sockets.find(l->bind);
  }
  return nullptr;
}

std::uint16_t Process::port(const std::string& listener) const {
  const Sockets::Open* o = open_of(listener);
  return o == nullptr ? std::uint16_t{0} : o->sockets[0].address.port();
}

std::string Process::address(const std::string& listener) const {
  const Sockets::Open* o = open_of(listener);
  return o == nullptr ? "" : o->sockets[0].address.to_string();
}

std::vector<CertificateStatus> Process::certificates() const {
  std::vector<CertificateStatus> out;
  for (const auto& l : serving_.snapshot->listeners) {
    if (!l->tls) continue;
    for (const CertificateInfo& c : l->tls->certificates()) out.push_back({l->name, c.file, c.names, c.not_after});
  }
  return out;
}

}  // namespace albatross
