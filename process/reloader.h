// Puts new configurations into force: reads a ConfigSource and builds on its builder thread, opens sockets and installs
// on the control thread. There is one build at a time. A reload during another reload is refused, and waits for any
// other build; changes of names, of groups' servers and of certificates wait, and the last change of each group counts.
// Owned by the Process; control thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "process/builder.h"
#include "process/config_source.h"
#include "process/control.h"
#include "process/serving.h"

namespace albatross {

// The result of a build: a snapshot. A build of groups replaces only those groups in it.
struct Built {
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<Snapshot> snapshot;
  std::vector<Listeners::Matchers> matchers;               // by worker
  std::map<std::string, std::vector<ProbeTarget>> probes;  // by group
  std::uint64_t overrides_version = 0;
};

// Installs what was built. The Process implements it.
class Installer {
 public:
  virtual void install(Built built, Sockets::Map opened) = 0;
  // Installs only these groups.
  virtual void install_groups(Built built, const std::vector<std::string>& names) = 0;
  virtual const Overrides& overrides(std::uint64_t& version) const = 0;
  // The addresses that these names have now.
  virtual Names addresses(const std::vector<std::string>& names) const = 0;
  virtual void watch_names(const std::vector<std::string>& names) = 0;
  // Why nothing may be changed; empty if changes are allowed.
  virtual std::string refusal() const = 0;
  // Puts a line into the journal.
  virtual void note(Level level, const std::string& what) = 0;

 protected:
  ~Installer() = default;
};

class Reloader final : public ConfigSink {
 public:
  Reloader(Serving& serving, BuildContext context, Installer& installer);
  ~Reloader();

  // Sets the source that the next reload() reads; null: there is none.
  void set_source(std::unique_ptr<ConfigSource> source) { source_ = std::move(source); }
  // Builds everything on the calling thread, at start.
  Built build(std::shared_ptr<const config::Config> config, const std::map<std::string, std::uint16_t>& ports,
              const Names& names, config::Diagnostics& out);
  void reload(std::function<void(ReloadResult)> done);
  // See Control::preview().
  std::string preview(Control::Look look, std::function<void()> done);
  // Files of certificates have changed: builds the listeners again from the configuration that is in force, and
  // installs them if the files are good. Files that are being written are tried again for 10 s; until then, and if they
  // stay bad, the old certificates are in use.
  void certificates_changed();
  std::uint64_t reloads() const { return reloads_; }
  std::uint64_t failed() const { return failed_; }
  const LastReload& last() const { return last_; }
  const std::vector<std::string>& needs_restart() const { return needs_restart_; }

  // ConfigSink
  void names_changed(const std::vector<std::string>& names) override;
  void servers_changed(const std::string& group, std::vector<config::Server> servers) override;

 private:
  using Done = std::function<void(ReloadResult)>;
  // The input of the builder thread.
  struct Change {
    std::shared_ptr<const config::Config> config;
    std::shared_ptr<const Snapshot> now;
    Names names;
    Overrides overrides;
    std::uint64_t overrides_version = 0;
    std::uint64_t generation = 0;
    std::map<std::string, std::uint16_t> ports;
    bool whole = true;  // all parts; else only the groups named
    std::set<std::string> groups;
  };
  static Built make(const Change& change, const BuildContext& context, config::Diagnostics& out);
  void was_read(ConfigSource::Read read, Done done);
  void finish(Built built, std::shared_ptr<config::Diagnostics> out, Sockets::Map opened, const Done& done);
  Change change_in_force();
  void find_groups_of_names();
  void build_groups();
  void build_certificates();
  void certificates_built(Built built, const config::Diagnostics& out);
  void end(ReloadResult result, const Done& done);
  void warn_of_restart(const config::Config& next, config::Diagnostics& out);
  std::shared_ptr<const config::Config> with_servers(const std::shared_ptr<const config::Config>& config) const;

  Serving& serving_;
  BuildContext context_;
  Installer& installer_;
  std::unique_ptr<ConfigSource> source_;
  std::map<std::string, std::vector<config::Server>> servers_;  // by group, as servers_changed() has set them
  std::set<std::string> pending_names_;                         // names that have changed during a build
  std::set<std::string> pending_;                               // groups to build when the builder thread is free
  bool certificates_pending_ = false;
  Nanos certificates_until_ = 0;  // when files that are still bad are given up
  boost::asio::steady_timer retry_;
  bool building_ = false;
  bool reloading_ = false;
  Done next_reload_;  // waits for the build that is under way; null: none does
  std::uint64_t generation_ = 0;
  std::uint64_t reloads_ = 0;
  std::uint64_t failed_ = 0;
  LastReload last_;
  std::shared_ptr<const config::Config> started_with_;
  std::vector<std::string> needs_restart_;
  boost::asio::thread_pool builder_{1};
};

}  // namespace albatross
