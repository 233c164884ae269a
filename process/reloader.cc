#include "process/reloader.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <sstream>

namespace albatross {
namespace {

std::vector<std::string> texts(const std::vector<config::Bind>& binds) {
  std::vector<std::string> out;
  for (const config::Bind& bind : binds) out.push_back(bind.text);
  return out;
}

std::vector<std::string> names(const std::vector<config::Value<std::string>>& values) {
  std::vector<std::string> out;
  for (const auto& value : values) out.push_back(*value);
  return out;
}

}  // namespace

// A build may take a second of CPU. Requests go first: Linux has a nice value for each thread.
Reloader::Reloader(Serving& serving, BuildContext context, Installer& installer)
    : serving_(serving), context_(std::move(context)), installer_(installer), retry_(serving.io) {
  constexpr int kNice = 10;
  boost::asio::post(builder_, [] { setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice); });
}

Reloader::~Reloader() { builder_.join(); }

// ---- on the builder thread ----

Built Reloader::make(const Change& c, const BuildContext& context, config::Diagnostics& out) {
  Builder builder(context, c.now, c.overrides);
  Built built;
  built.config = c.config;
  built.overrides_version = c.overrides_version;
  built.snapshot = std::make_shared<Snapshot>();
  Snapshot& next = *built.snapshot;
  next.generation = c.generation;
  next.config = c.config;
  if (c.whole) {
    next.listeners = builder.listeners(*c.config, c.ports, out);
    next.groups = builder.groups(*c.config, c.names, out);
  } else {
    next.listeners = c.now->listeners;
    next.groups = c.now->groups;
  }
  for (std::size_t i = 0; i < c.config->server_groups.size(); ++i) {
    const config::ServerGroup& g = c.config->server_groups[i];
    const std::string path = "server_groups[" + std::to_string(i) + "]";
    if (!c.whole) {
      if (!c.groups.contains(g.name)) continue;
      next.groups[i] = builder.group(g, c.config->zone, c.names, path, out);
    }
    built.probes[g.name] = Builder::probes(g, *next.groups[i], path, out);
  }
  if (out.ok()) built.matchers = builder.matchers(next);
  return built;
}

// ---- on the control thread ----

std::shared_ptr<const config::Config> Reloader::with_servers(
    const std::shared_ptr<const config::Config>& config) const {
  if (servers_.empty()) return config;
  auto changed = std::make_shared<config::Config>(*config);
  for (config::ServerGroup& g : changed->server_groups) {
    auto it = servers_.find(g.name);
    if (it == servers_.end()) continue;
    g.servers = it->second;
    g.digest = 0;  // its text no longer describes it
  }
  return changed;
}

Built Reloader::build(std::shared_ptr<const config::Config> config, const std::map<std::string, std::uint16_t>& ports,
                      const Names& names, config::Diagnostics& out) {
  Change c;
  started_with_ = config;
  c.config = std::move(config);
  c.names = names;
  c.overrides = installer_.overrides(c.overrides_version);
  c.generation = ++generation_;
  c.ports = ports;
  return make(c, context_, out);
}

void Reloader::reload(Done done) {
  auto fail = [this, &done](const std::string& why) { end({false, why, "[]"}, done); };
  if (std::string why = installer_.refusal(); !why.empty()) return fail(why);
  if (reloading_ || next_reload_) return fail("another reload is in progress: try again");
  if (!source_) return fail("this process runs without a file");
  if (building_) {
    next_reload_ = std::move(done);
    return;
  }
  building_ = reloading_ = true;
  boost::asio::post(builder_, [this, done = std::move(done)] {
    ConfigSource::Read read = source_->read();
    boost::asio::post(serving_.io, [this, read = std::move(read), done] { was_read(read, done); });
  });
}

std::string Reloader::preview(Control::Look look, std::function<void()> done) {
  if (!source_) return "this process runs without a file";
  // No build: a reload that comes meanwhile waits for the builder thread, and is not refused.
  boost::asio::post(builder_, [this, now = serving_.config, look = std::move(look), done = std::move(done)] {
    look(*now, source_->read());
    boost::asio::post(serving_.io, done);
  });
  return {};
}

// Opens the sockets, lets the builder thread build, then installs.
void Reloader::was_read(ConfigSource::Read read, Done done) {
  Sockets::Map opened;
  std::uint64_t version = 0;
  const Overrides& overrides = installer_.overrides(version);
  if (read.config) serving_.sockets.open_missing(*read.config, overrides.drained_listeners, opened, *read.diagnostics);
  if (!read.diagnostics->ok()) return finish({}, read.diagnostics, std::move(opened), done);
  installer_.watch_names(Builder::names(*read.config));
  Change c;
  c.config = read.config;
  c.now = serving_.snapshot;
  c.names = installer_.addresses(Builder::names(*read.config));
  c.overrides = overrides;
  c.overrides_version = version;
  c.generation = ++generation_;
  c.ports = serving_.sockets.ports(*read.config, opened);
  auto shared_opened = std::make_shared<Sockets::Map>(std::move(opened));
  boost::asio::post(builder_, [this, c = std::move(c), out = read.diagnostics, shared_opened, done] {
    auto built = std::make_shared<Built>(make(c, context_, *out));
    boost::asio::post(serving_.io, [this, built, out, shared_opened, done] {
      finish(std::move(*built), out, std::move(*shared_opened), done);
    });
  });
}

void Reloader::finish(Built built, std::shared_ptr<config::Diagnostics> out, Sockets::Map opened, const Done& done) {
  building_ = reloading_ = false;
  std::ostringstream text;
  out->print(text);
  if (!built.snapshot || !out->ok() || !installer_.refusal().empty()) {
    Sockets::close(opened);
    installer_.watch_names(Builder::names(*serving_.config));
    end({false, text.str() + "nothing was changed", out->to_json()}, done);
    return build_groups();
  }
  servers_.clear();  // the file defines them again
  warn_of_restart(*built.config, *out);
  text.str("");
  out->print(text);
  installer_.install(std::move(built), std::move(opened));
  end({true, text.str() + "configuration " + std::to_string(serving_.snapshot->generation) + " is in force",
       out->to_json()},
      done);
  build_groups();
}

// The event log, the journal and the status get the result of every reload, whoever asked for it.
void Reloader::end(ReloadResult result, const Done& done) {
  ++(result.ok ? reloads_ : failed_);
  last_ = {serving_.clock.wall(), result.ok, result.message};
  installer_.note(result.ok ? Level::kInfo : Level::kError,
                  (result.ok ? "reloaded: " : "reload failed: ") + result.message);
  done(std::move(result));
}

// Warns of values that differ from those of this process and that take effect only in a new process.
void Reloader::warn_of_restart(const config::Config& next, config::Diagnostics& out) {
  needs_restart_.clear();
  auto warn = [&](const char* path, bool differs) {
    if (!differs) return;
    needs_restart_.emplace_back(path);
    out.warning({}, path, "differs from the value in the running process; it takes effect after a restart",
                "albatross run --take-over restarts without interruption");
  };
  const config::Config& now = *started_with_;
  warn("workers", now.workers != next.workers);
  warn("access_log", now.access_log.target != next.access_log.target || *now.access_log.path != *next.access_log.path);
  warn("admin", !now.admin.overridden &&
                    (now.admin.off != next.admin.off || texts(now.admin.binds) != texts(next.admin.binds) ||
                     *now.admin.token != *next.admin.token || names(now.admin.hosts) != names(next.admin.hosts)));
  warn("state_dir", *now.state_dir != *next.state_dir);
  warn("limits.connections", *now.max_connections != *next.max_connections);
}

// ---- groups ----

void Reloader::names_changed(const std::vector<std::string>& names) {
  pending_names_.insert(names.begin(), names.end());
  build_groups();
}

// Looks for the groups in the configuration that is in force: it may have other groups than when the name changed.
void Reloader::find_groups_of_names() {
  for (const config::ServerGroup& g : serving_.config->server_groups) {
    const std::vector<std::string> names = Builder::names(g);
    auto changed = [this](const std::string& name) { return pending_names_.contains(name); };
    if (std::any_of(names.begin(), names.end(), changed)) pending_.insert(g.name);
  }
  pending_names_.clear();
}

void Reloader::servers_changed(const std::string& group, std::vector<config::Server> servers) {
  servers_[group] = std::move(servers);
  pending_.insert(group);
  build_groups();
}

// A build from the configuration that is in force.
Reloader::Change Reloader::change_in_force() {
  Change c;
  c.config = with_servers(serving_.config);
  c.now = serving_.snapshot;
  c.names = installer_.addresses(Builder::names(*c.config));
  c.overrides = installer_.overrides(c.overrides_version);
  c.generation = ++generation_;
  return c;
}

// Builds the groups that wait. All listeners and all other groups stay as they are.
void Reloader::build_groups() {
  if (building_) return;
  if (next_reload_) return reload(std::exchange(next_reload_, nullptr));
  if (!serving_.snapshot || !installer_.refusal().empty()) return;
  if (certificates_pending_) return build_certificates();
  find_groups_of_names();
  if (pending_.empty()) return;
  building_ = true;
  Change c = change_in_force();
  c.whole = false;
  c.groups = std::exchange(pending_, {});
  boost::asio::post(builder_, [this, c = std::move(c)] {
    auto out = std::make_shared<config::Diagnostics>(c.config->file, "");
    auto built = std::make_shared<Built>(make(c, context_, *out));
    boost::asio::post(serving_.io, [this, built, out, groups = c.groups] {
      building_ = false;
      if (!out->ok()) {
        serving_.log(Level::kError, "servers changed, but their groups cannot be built: the old ones stay in use");
      } else if (installer_.refusal().empty()) {
        installer_.install_groups(std::move(*built), {groups.begin(), groups.end()});
      } else {
        pending_.insert(groups.begin(), groups.end());  // a hand-over may fail
      }
      build_groups();
    });
  });
}

}  // namespace albatross
