#include <unistd.h>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/event.h"
#include "cli/commands.h"
#include "cli/notify.h"
#include "cli/take_over.h"
#include "config/load.h"
#include "control/admin/admin.h"
#include "control/admin/admin_address.h"
#include "control/admin/explain_live.h"
#include "net/file_watch.h"
#include "process/process.h"

namespace albatross::cli {
namespace {

int fail(const std::string& why) {
  std::cerr << "albatross: " << why << "\n";
  return 1;
}

// SIG_BLOCK holds signals back until Signals can handle them: by default, they would end a process that is about to
// serve. The threads that it starts in the meantime never get them, the main thread does.
void mask(int how, std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int one : signals) sigaddset(&set, one);
  pthread_sigmask(how, &set, nullptr);
}

// Handles signals: SIGTERM and SIGINT drain, SIGHUP reloads, SIGUSR1 reopens the log, SIGUSR2 starts a process that
// takes over.
class Signals {
 public:
  Signals(Process& process, Successor& successor, std::vector<std::string> admin)
      : process_(process),
        successor_(successor),
        admin_(std::move(admin)),
        set_(process.io(), SIGTERM, SIGINT, SIGHUP) {
    set_.add(SIGUSR1);
    set_.add(SIGUSR2);
    wait();
  }

 private:
  void wait() {
    set_.async_wait([this](boost::system::error_code ec, int signal) {
      if (ec) return;
      if (signal == SIGHUP) {
        process_.reload([](const ReloadResult&) {});  // the event log has the result
      } else if (signal == SIGUSR1) {
        process_.reopen_logs();
      } else if (signal == SIGUSR2) {
        successor_.start(admin_);
      } else {
        process_.stop();
      }
      wait();
    });
  }
  Process& process_;
  Successor& successor_;
  std::vector<std::string> admin_;
  boost::asio::signal_set set_;
};

// Reloads when the file changes, or one that it includes.
class Watch {
 public:
  Watch(Process& process, const std::string& file)
      : process_(process),
        file_(std::filesystem::absolute(file)),
        watch_(
            process.io(), [this] { reload(); }, [](const std::string& why) { print_event(Level::kError, why); }) {
    watch_files();
  }

 private:
  void watch_files() {
    std::vector<std::string> files = process_.view().config.includes;
    files.push_back(file_);
    watch_.watch(std::move(files));
  }
  // A file that changes during a reload may have been read before the change.
  void reload() {
    again_ = reloading_;
    if (std::exchange(reloading_, true)) return;
    process_.reload([this](const ReloadResult&) {  // the event log has the result
      reloading_ = false;
      watch_files();
      if (std::exchange(again_, false)) reload();
    });
  }

  Process& process_;
  std::string file_;
  bool reloading_ = false;
  bool again_ = false;  // something has changed since the reload began
  FileWatch watch_;
};

using Report = std::function<void(const config::Diagnostics&)>;

struct How {
  bool watch = false;
  bool quiet = false;
  std::string take_over;
  std::vector<std::string> command;
};

int serve(std::shared_ptr<const config::Config> config, config::Diagnostics& out, const How& how,
          const Report& report) {
  Admin* ours = nullptr;
  ProcessOptions options;
  options.handed_over = [&ours] { ours->stop(); };
  options.stage = Notifier::stage;
  const Process* self = nullptr;
  options.asked = [&self](const AskedRequest& asked) { print_event(Level::kInfo, explained(*self, asked)); };
  Process process(config, options);
  self = &process;
  std::string error;
  TakeOver before;
  if (!how.take_over.empty() && !before.begin(how.take_over, process, error)) return fail(error);
  mask(SIG_BLOCK, {SIGTERM, SIGINT});
  bool started = process.start(out, error);
  report(out);
  if (!error.empty()) return fail(error);
  if (!started) return 1;
  Admin admin(process);
  ours = &admin;
  if (!admin.start(config->admin, before.socket(), error)) return fail("admin: " + error);
  // From here on this process serves, whatever happens to the other one.
  if (!before.finish(error) || !admin.arrive(error)) print_event(Level::kError, error);
  for (const config::Listener& l : config->listeners) {
    const bool secure = l.protocol.value == config::Listener::Protocol::kHttps;
    print_event(Level::kInfo, *l.name + " listens on " + (secure ? "https://" : "http://") + process.address(l.name));
  }
  for (const std::string& at : how.quiet ? std::vector<std::string>() : admin.addresses()) {
    print_event(Level::kInfo, "admin on " + at);
  }
  Successor successor(process, how.command);
  Signals signals(process, successor, admin.addresses());
  mask(SIG_UNBLOCK, {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2});
  std::optional<Watch> watcher;
  if (how.watch) watcher.emplace(process, config->file);
  Notifier notifier(process, !how.take_over.empty());
  notifier.ready();
  process.run();
  admin.stop();
  return 0;
}

// The options of a command and the keys of the configuration that they set.
struct Flags {
  std::string command;
  std::vector<std::pair<std::string, std::string>> by_path;

  // Reports errors at the options, since the user did not write the text that the places refer to.
  void report(const config::Diagnostics& out) const {
    for (const config::Diagnostic& one : out.all()) {
      std::string where = one.path;
      for (const auto& [path, flag] : by_path) {
        if (one.path.starts_with(path)) where = flag;
      }
      const bool warning = one.severity == config::Diagnostic::Severity::kWarning;
      std::cerr << "albatross " << command << ": " << (warning ? "warning: " : "") << where << ": " << one.message
                << (one.hint.empty() ? "" : ", ") << one.hint << "\n";
    }
  }
};

// Puts `host` in front of `8080` or `:8080`.
std::string whole_address(const std::string& text, const std::string& host) {
  const bool is_port = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  if (is_port) return host + ':' + text;
  return text.starts_with(':') ? host + text : text;
}

int serve_text(const nlohmann::json& tree, const std::string& admin, const Flags& flags, const RunOptions& o) {
  nlohmann::json all = tree;
  if (!admin.empty()) all["admin"] = admin == "off" ? nlohmann::json("off") : nlohmann::json{{"bind", admin}};
  config::Source source{"", all.dump(1), config::Format::kJson};
  config::Diagnostics out("command line", source.text);
  auto config = std::make_shared<config::Config>(config::load(source, out));
  config->file.clear();
  if (!out.ok()) {
    flags.report(out);
    return 2;
  }
  return serve(config, out, {false, admin == "off", o.take_over, o.command},
               [&flags](const config::Diagnostics& d) { flags.report(d); });
}

int wrong_run(const std::string& why) {
  std::cerr << "albatross run: " << why << "\n";
  return 2;
}

int run_without_file(const RunOptions& o) {
  const std::string from = whole_address(o.from, ""), to = whole_address(o.to, "127.0.0.1");
  return serve_text(
      {{"listeners",
        {{{"name", "web"}, {"bind", from}, {"protocol", "http"}, {"default_actions", {{{"forward", "servers"}}}}}}},
       {"server_groups", {{{"name", "servers"}, {"servers", {{{"address", to}}}}}}}},
      o.admin,
      {"run", {{"listeners[0].bind", "--from"}, {"server_groups[0].servers[0]", "--to"}, {"admin", "--admin"}}}, o);
}

}  // namespace

int run_command(const RunOptions& o) {
  mask(SIG_BLOCK, {SIGHUP, SIGUSR1, SIGUSR2});
  if (!o.config.empty() && !(o.from + o.to).empty()) return wrong_run("give a file, or --from and --to, not both");
  if (o.config.empty() && (o.from + o.to).empty()) return wrong_run("give a file, or --from ADDRESS --to ADDRESS");
  if (o.config.empty() && o.from.empty())
    return wrong_run("--from is missing: the address to listen on, such as :8080");
  if (o.config.empty() && o.to.empty())
    return wrong_run("--to is missing: the address to forward to, such as 127.0.0.1:3000");
  if (o.config.empty()) return run_without_file(o);
  std::string error;
  auto source = config::read_source(o.config, error);
  if (!source) return fail(error);
  config::Diagnostics out(o.config, source->text);
  auto config = std::make_shared<config::Config>(config::load(*source, out));
  config->file = o.config;
  if (!out.ok()) {
    out.print(std::cerr);
    return 1;
  }
  config->admin.overridden = !o.admin.empty();
  if (o.admin == "off") config->admin.off = true;
  if (!o.admin.empty() && o.admin != "off") {
    config->admin.off = false;
    config->admin.binds.resize(1);
    if (!parse_admin_address(o.admin, config->admin.binds[0]))
      return wrong_run("--admin: write unix:/path, 127.0.0.1:9900 or off");
  }
  return serve(config, out, {o.watch, false, o.take_over, o.command},
               [](const config::Diagnostics& d) { d.print(std::cerr); });
}

int respond_command(const RespondOptions& o) {
  const std::string answer = "listeners[0].default_actions[0].fixed_response";
  return serve_text(
      {{"listeners",
        {{{"name", "respond"},
          {"bind", whole_address(o.listen, "")},
          {"protocol", "http"},
          {"default_actions",
           {{{"fixed_response", {{"code", o.status}, {"content_type", o.content_type}, {"body", o.body}}}}}}}}},
       {"server_groups", nlohmann::json::array()},
       {"shutdown", {{"drain", "1s"}}}},
      "off",
      {"respond",
       {{"listeners[0].bind", "--listen"}, {answer + ".body", "--body"}, {answer + ".content_type", "--content-type"}}},
      {});
}

}  // namespace albatross::cli
