#include <sys/inotify.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/take_over.h"
#include "config/load.h"
#include "control/admin/admin.h"
#include "process/process.h"

namespace albatross::cli {
namespace {

int fail(const std::string& why) {
  std::cerr << "albatross: " << why << "\n";
  return 1;
}

// Handles signals: SIGTERM and SIGINT drain, SIGHUP reloads, SIGUSR1 reopens the log, SIGUSR2 starts a process that
// takes over.
class Signals {
 public:
  Signals(Process& process, Successor& successor, std::string admin)
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
        process_.reload([](const ReloadResult& r) { std::cerr << r.message << "\n"; });
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
  std::string admin_;
  boost::asio::signal_set set_;
};

// Reloads 100 ms after the file, or a link to it, was replaced or written.
class Watch {
 public:
  Watch(Process& process, const std::string& file)
      : process_(process), name_(std::filesystem::path(file).filename()), events_(process.io()), timer_(process.io()) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    std::string folder = std::filesystem::absolute(file).parent_path();
    if (fd < 0 || inotify_add_watch(fd, folder.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE) < 0) {
      std::cerr << "albatross: cannot watch " << folder << "\n";
      if (fd >= 0) ::close(fd);
      return;
    }
    events_.assign(fd);
    wait();
  }

 private:
  void wait() {
    events_.async_read_some(boost::asio::buffer(buffer_), [this](boost::system::error_code ec, std::size_t n) {
      if (ec) return;
      for (std::size_t at = 0; at + sizeof(inotify_event) <= n;) {
        const auto* e = reinterpret_cast<const inotify_event*>(buffer_ + at);
        // Kubernetes replaces a link named ..data beside the file.
        if (e->len > 0 && (name_ == e->name || std::string_view(e->name) == "..data")) soon();
        at += sizeof(inotify_event) + e->len;
      }
      wait();
    });
  }
  void soon() {
    timer_.expires_after(std::chrono::milliseconds(100));
    timer_.async_wait([this](boost::system::error_code ec) {
      if (!ec) process_.reload([](const ReloadResult& r) { std::cerr << r.message << "\n"; });
    });
  }
  Process& process_;
  std::string name_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer timer_;
  alignas(inotify_event) char buffer_[4096];
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
  Process process(config, options);
  std::string error;
  TakeOver before;
  if (!how.take_over.empty() && !before.begin(how.take_over, process, error)) return fail(error);
  bool started = process.start(out, error);
  report(out);
  if (!error.empty()) return fail(error);
  if (!started) return 1;
  Admin admin(process);
  ours = &admin;
  if (!admin.start(config->admin, before.socket(), error)) return fail("admin: " + error);
  // From here on this process serves, whatever becomes of the other one.
  if (!before.finish(error) || !admin.arrive(error)) std::cerr << "albatross: " << error << "\n";
  for (const config::Listener& l : config->listeners) {
    std::cerr << "albatross: " << *l.name << " listens on "
              << (l.protocol.value == config::Listener::Protocol::kHttps ? "https://" : "http://")
              << process.address(l.name) << "\n";
  }
  if (!how.quiet && !admin.address().empty()) std::cerr << "albatross: admin on " << admin.address() << "\n";
  Successor successor(process, how.command);
  Signals signals(process, successor, admin.address());
  std::optional<Watch> watcher;
  if (how.watch) watcher.emplace(process, config->file);
  process.run();
  admin.stop();
  return 0;
}

// The options of a command and the keys of the configuration that they become.
struct Flags {
  std::string command;
  std::vector<std::pair<std::string, std::string>> by_path;

  // Reports errors against the options, since the user did not write the text that has the places.
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

// Expands `8080` to an address with that port, and `:8080`, too, if there is a host to connect to.
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
  if (!o.config.empty() && !(o.from + o.to).empty()) return wrong_run("give a file, or --from and --to, not both");
  if (o.config.empty() && (o.from + o.to).empty()) return wrong_run("give a file, or --from ADDRESS --to ADDRESS");
  if (o.config.empty() && o.from.empty()) return wrong_run("--from is missing: where to listen, such as :8080");
  if (o.config.empty() && o.to.empty()) return wrong_run("--to is missing: where to forward, such as 127.0.0.1:3000");
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
  if (o.admin == "off") config->admin.off = true;
  if (!o.admin.empty() && o.admin != "off") {
    config->admin.off = false;
    if (!parse_admin_address(o.admin, config->admin.bind))
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
