// Building and putting into force: at start, on reload, when names change.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <sstream>

#include "config/load.h"
#include "process/built.h"
#include "process/process.h"
#include "tls/tls_server.h"

namespace albatross {

Names Process::current_names() const {
  Names out;
  for (const std::string& n : Builder::names(*config_)) out[n] = resolver_->addresses(n);
  return out;
}

std::shared_ptr<Process::Built> Process::build(std::shared_ptr<const config::Config> config,
                                               const std::map<std::string, std::uint16_t>& ports, const Names& names,
                                               Overrides overrides, config::Diagnostics& out,
                                               const Snapshot* keep_listeners) {
  Builder builder(servers_, tickets_, workers_wanted_, std::move(overrides));
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = ++generation_;
  snapshot->config = config;
  snapshot->listeners = keep_listeners != nullptr ? keep_listeners->listeners : builder.listeners(*config, ports, out);
  snapshot->groups = builder.groups(*config, names, out);
  auto built = std::make_shared<Built>();
  built->probes = builder.probes(*config, snapshot->groups, out);
  built->config = std::move(config);
  if (!out.ok()) return built;
  built->snapshot = snapshot;
  for (int i = 0; i < workers_wanted_; ++i) built->workers.push_back(make_worker_snapshot(snapshot, *stats_, i));
  return built;
}

// Control thread. Sockets were opened before; workers learn of them last.
void Process::install(std::shared_ptr<Built> built, OpenListeners opened) {
  begin_slow_starts(*built->snapshot);
  std::shared_ptr<const Snapshot> old = snapshot_;
  snapshot_ = built->snapshot;
  config_ = built->config;
  std::vector<std::string> gone, changed;
  std::vector<int> to_close;
  for (auto& [name, l] : opened) {
    auto before = listeners_.find(name);
    if (before != listeners_.end()) {
      for (ListenSocket& s : before->second.sockets) {
        if (s.fd >= 0) to_close.push_back(s.fd);
      }
      overrides_.drained_listeners.erase(name);  // its address has changed
    }
    listeners_[name] = std::move(l);
  }
  for (auto it = listeners_.begin(); it != listeners_.end();) {
    const ListenerRuntime* now = nullptr;
    for (const auto& l : snapshot_->listeners) {
      if (l->name == it->first) now = l.get();
    }
    if (now == nullptr) {
      gone.push_back(it->first);
      for (ListenSocket& s : it->second.sockets) {
        if (s.fd >= 0) to_close.push_back(s.fd);
      }
      if (it->second.wanted.family() == AF_UNIX) ::unlink(it->second.wanted.to_string().substr(5).c_str());
      it = listeners_.erase(it);
      continue;
    }
    std::string fingerprint = now->tls ? now->tls->fingerprint() : "";
    bool differs = it->second.secure != now->secure || it->second.tls_fingerprint != fingerprint;
    if (it->second.serving && differs) changed.push_back(it->first);
    it->second.serving = true;
    it->second.secure = now->secure;
    it->second.tls_fingerprint = fingerprint;
    ++it;
  }
  apply_overrides();
  prober_->update(std::move(built->probes));
  outliers_->update(outlier_groups());
  servers_.sweep();
  Nanos window = static_cast<Nanos>(config_->shutdown.drain->count()) * kMilli;
  // The last worker to have left the old sockets closes them.
  std::shared_ptr<void> close_after(nullptr, [to_close](void*) {
    for (int fd : to_close) ::close(fd);
  });
  std::map<std::string, Drained> parts;
  for (const auto* names : {&gone, &changed}) {
    for (const std::string& name : *names) {
      parts[name] = sum_of_workers([this, name](const DrainReport& r) { note_drained("listener " + name, r); });
    }
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    std::vector<WorkerListen> listens;
    for (auto& [name, l] : opened) {
      for (WorkerListen& one : listens_of(name, i)) listens.push_back(std::move(one));
    }
    Worker* worker = workers_[i].get();
    worker->loop().post([worker, built, i, listens, gone, changed, window, parts, close_after] {
      for (const std::string& name : gone) worker->drain_listener(name, window, parts.at(name));
      worker->apply(std::move(built->workers[i]), listens);
      for (const std::string& name : changed) worker->drain_connections(name, window, parts.at(name));
    });
  }
  if (old) drain_removed(*old);
  if (weights_pending_) overrides_changed();
  weights_pending_ = false;
}

std::vector<OutlierGroup> Process::outlier_groups() const {
  std::vector<OutlierGroup> all;
  for (const auto& g : snapshot_->groups) {
    if (!g->passive.compares()) continue;
    OutlierGroup o{g->name, g->passive, {}};
    for (const ServerEntry& e : g->servers) o.servers.push_back(e.slot);
    all.push_back(std::move(o));
  }
  return all;
}

// A server that joins a group which has been serving.
void Process::begin_slow_starts(const Snapshot& next) {
  for (const auto& g : next.groups) {
    bool known_group = false;
    if (snapshot_) {
      for (const auto& old : snapshot_->groups) known_group |= old->name == g->name && !old->servers.empty();
    }
    for (const ServerEntry& e : g->servers) {
      if (!e.slot->known && known_group) e.slot->slow_since.store(clock_.now(), std::memory_order_relaxed);
      e.slot->known = true;
    }
  }
}

// ---- reload ----

void Process::join_builder() {
  if (builder_.joinable()) builder_.join();
}

void Process::reload(std::function<void(ReloadResult)> done) {
  auto fail = [&](const std::string& why) { done({false, why, "[]"}); };
  if (draining_) return fail("the process is stopping");
  if (handing_over_) return fail("a new process is taking over");
  if (building_) return fail("a reload is under way, try again");
  if (file_.empty()) return fail("this process runs without a file");
  building_ = true;
  join_builder();
  builder_ = std::thread([this, done = std::move(done)] {
    std::string error;
    std::optional<config::Source> source = config::read_source(file_, error);
    auto out = std::make_shared<config::Diagnostics>(file_, source ? source->text : "");
    std::shared_ptr<const config::Config> config;
    if (!source) {
      out->error({}, "", error);
    } else {
      config = std::make_shared<const config::Config>(config::load(*source, *out));
    }
    boost::asio::post(io_, [this, config, out, done] { reload_with(config, out, done); });
  });
}

// Control thread: sockets first, then the compile off-thread, then everybody learns of it.
void Process::reload_with(std::shared_ptr<const config::Config> config, std::shared_ptr<config::Diagnostics> out,
                          std::function<void(ReloadResult)> done) {
  auto opened = std::make_shared<OpenListeners>();
  if (out->ok()) open_missing(*config, *opened, *out);
  if (!out->ok()) return finish_reload(nullptr, out, std::move(*opened), done);
  resolver_->watch(Builder::names(*config));
  Names names;
  for (const std::string& n : Builder::names(*config)) names[n] = resolver_->addresses(n);
  join_builder();
  builder_ = std::thread([this, config, out, done, opened, names, overrides = overrides_,
                          ports = port_numbers(*opened)] {
    std::shared_ptr<Built> built = build(config, ports, names, overrides, *out, nullptr);
    boost::asio::post(io_, [this, built, out, done, opened] { finish_reload(built, out, std::move(*opened), done); });
  });
}

void Process::finish_reload(std::shared_ptr<Built> built, std::shared_ptr<config::Diagnostics> out,
                            OpenListeners opened, const std::function<void(ReloadResult)>& done) {
  building_ = false;
  std::ostringstream text;
  out->print(text);
  if (!built || !out->ok() || draining_) {
    close(opened);
    ++failed_reloads_;
    resolver_->watch(Builder::names(*config_));
    done({false, text.str() + "nothing was changed", out->to_json()});
    return;
  }
  ++reloads_;
  warn_of_restart(*built->config, *out);
  text.str("");
  out->print(text);
  install(std::move(built), std::move(opened));
  done({true, text.str() + "configuration " + std::to_string(snapshot_->generation) + " is in force", out->to_json()});
  if (names_pending_) names_changed();
}

// What only a new process takes up.
void Process::warn_of_restart(const config::Config& next, config::Diagnostics& out) const {
  auto warn = [&](const char* path, bool differs) {
    if (differs) out.warning({}, path, "changed, but this needs a restart", "the old value stays in force");
  };
  const config::Config& now = *config_;
  warn("workers", now.workers != next.workers);
  warn("access_log", now.access_log.target != next.access_log.target || *now.access_log.path != *next.access_log.path);
  warn("admin", now.admin.off != next.admin.off || now.admin.bind.text != next.admin.bind.text ||
                    *now.admin.token != *next.admin.token);
  warn("limits.connections", *now.max_connections != *next.max_connections);
}

// Only the groups are built anew; the listeners, their rules and their certificates stay as they are.
void Process::names_changed() {
  if (draining_ || !snapshot_) return;
  if (building_) {
    names_pending_ = true;
    return;
  }
  names_pending_ = false;
  config::Diagnostics out(file_, "");
  std::shared_ptr<Built> built = build(config_, {}, current_names(), overrides_, out, snapshot_.get());
  if (!out.ok()) return log("names changed, but the groups cannot be built");
  install(std::move(built), {});
}

}  // namespace albatross
