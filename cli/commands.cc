#include "cli/commands.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/version.h"
#include "config/load.h"

namespace albatross::cli {
namespace {

std::string version_text() {
  const std::string without = kWithout;
  return std::string("albatross ") + kVersion + " (" + kCommit + ")" +
         (without.empty() ? "" : ", built without: " + without);
}

// The parsed command line, and the exit code of the command that ran.
struct Line {
  RunOptions run;
  TopOptions top;
  RespondOptions respond;
  WeightOptions weight;
  DrainOptions drain;
  ExplainOptions explain;
  std::string verb;
  AdminTarget target;
  CheckOptions check;
  DiffOptions diff;
  std::string topic;
  bool json = false, markdown = false, dry_run = false;
  int code = 0;
};

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known, const std::string& help) {
  const std::string near = config::nearest(word, known);
  return near.empty() ? "; see " + help : ", did you mean " + near + "?";
}

// The message for a word that is neither an option nor a command.
std::string unknown_word(const CLI::App& command, std::string word, const std::string& name) {
  std::vector<std::string> known;
  if (word.starts_with('-')) {
    word = word.substr(0, word.find('='));
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& one : option->get_lnames()) known.push_back("--" + one);
    }
    return "unknown option " + word + did_you_mean(word, known, name + " --help");
  }
  if (command.get_parent() != nullptr) return "unexpected argument " + word + "; see " + name + " --help";
  for (const CLI::App* one : command.get_subcommands(nullptr)) known.push_back(one->get_name());
  return "unknown command " + word + did_you_mean(word, known, name + " --help");
}

int wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::vector<std::string> unknown = app.remaining(true);
  if (chosen.empty() && unknown.empty()) {
    std::cerr << app.help();
    return 2;
  }
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  const std::string name = chosen.empty() ? "albatross" : "albatross " + command.get_name();
  std::string why = unknown.empty() ? error.what() : unknown_word(command, unknown.front(), name);
  const bool is_name = why.size() > 1 && std::isupper(static_cast<unsigned char>(why[1])) != 0;  // WHAT is required
  if (!is_name) why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
  std::cerr << name << ": " << why << "\n";
  return 2;
}

int help_command(const CLI::App& app, const std::string& topic) {
  if (topic.empty()) {  // app.help() would print the help of this command
    std::cout << app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal);
    return 0;
  }
  std::vector<std::string> known;
  for (const CLI::App* one : app.get_subcommands(nullptr)) {
    known.push_back(one->get_name());
    if (one->get_name() != topic) continue;
    std::cout << one->help("albatross");
    return 0;
  }
  std::cerr << "albatross help: unknown command " << topic << did_you_mean(topic, known, "albatross --help") << "\n";
  return 2;
}

void add_servers(CLI::App& app, Line& line) {
  CLI::App* run = app.add_subcommand("run", "run the proxy");
  run->add_option("-c,--config,FILE", line.run.config, "configuration file, YAML or JSON");
  run->add_option("--from", line.run.from, "address to listen on, without a file: 8080 or 127.0.0.1:8080");
  run->add_option("--to", line.run.to, "address to forward to: 3000 (on this machine) or 10.0.0.5:3000");
  run->add_option("--admin", line.run.admin,
                  "address of the admin API, replaces admin in the file: unix:/path, 127.0.0.1:9900 or off");
  run->add_option("--take-over", line.run.take_over,
                  "admin socket of a running process: take its listening sockets over; that process drains and exits");
  run->add_flag("--watch", line.run.watch, "reload when the file changes");
  run->callback([&line] { line.code = run_command(line.run); });

  CLI::App* respond = app.add_subcommand("respond", "run a small server for demos and tests");
  respond->add_option("--listen", line.respond.listen, "address to listen on: 9001 or 127.0.0.1:9001")->required();
  respond->add_option("--body", line.respond.body, "body of the answer, byte for byte");
  respond->add_option("--status", line.respond.status, "status code of the answer")->check(CLI::Range(200, 599));
  respond->add_option("--content-type", line.respond.content_type, "Content-Type of the answer");
  respond->callback([&line] { line.code = respond_command(line.respond); });
}

void add_clients(CLI::App& app, Line& line) {
  const auto connect = [&line](CLI::App* client) {
    client->add_option("--admin", line.target.address,
                       "admin address of the running process: unix:/path, 127.0.0.1:9900 or lb.internal:9900; without "
                       "it and without -c, that of the environment variable ALBATROSS_ADMIN");
    client->add_option("-c,--config", line.target.config,
                       "configuration file to take the admin address and the token from");
    client
        ->add_option("--token", line.target.token,
                     "token for writes over TCP; other users can see the option, but not the environment variable")
        ->envname("ALBATROSS_ADMIN_TOKEN");
    client->add_flag("--json", line.json, "print JSON");
  };
  const auto changes = [&](CLI::App* client) {
    client->add_flag("--dry-run", line.dry_run, "only print what would change");
    connect(client);
  };
  CLI::App* weight =
      app.add_subcommand("weight", "set weights in the running process: of a rule's groups, or of a server");
  weight->add_option("WHAT", line.weight.what, "LISTENER/RULE, or GROUP/SERVER")->required();
  weight->add_option("WEIGHTS", line.weight.weights, "GROUP=W … for a rule, W for a server; from 0 to 10000");
  weight->add_flag("--reset", line.weight.reset, "restore the weights of the configuration file");
  changes(weight);
  weight->callback([&line] { line.code = weight_command(line.target, line.weight, line.dry_run, line.json); });

  CLI::App* drain =
      app.add_subcommand("drain", "drain a server or a listener: it gets no new requests, and those in flight finish");
  drain->add_option("WHAT", line.drain.what, "GROUP/SERVER, or LISTENER")->required();
  drain->add_flag("--wait", line.drain.wait, "wait until the drain is over, then print the report");
  drain->add_option("--timeout", line.drain.timeout,
                    "time after which the remaining requests are cut: 30s, 5m; default: the group's connection_drain, "
                    "or shutdown.drain for a listener");
  changes(drain);
  drain->callback([&line] { line.code = drain_command(line.target, line.drain, line.dry_run, line.json); });

  CLI::App* undrain = app.add_subcommand("undrain", "let a drained server or listener take requests again");
  undrain->add_option("WHAT", line.drain.what, "GROUP/SERVER, or LISTENER")->required();
  changes(undrain);
  undrain->callback([&line] { line.code = undrain_command(line.target, line.drain.what, line.dry_run, line.json); });

  CLI::App* rollout =
      app.add_subcommand("rollout", "move the requests of a rule to a new group in steps, and back if it does worse");
  rollout->add_option("VERB", line.verb, "start (also after pause), status, pause, promote, abort or undo")
      ->required()
      ->check(CLI::IsMember({"start", "status", "pause", "promote", "abort", "undo"}));
  rollout->add_option("RULE", line.topic, "LISTENER/RULE");
  changes(rollout);
  rollout->callback(
      [&line] { line.code = rollout_command(line.target, line.verb, line.topic, line.dry_run, line.json); });

  CLI::App* top = app.add_subcommand("top", "show requests, failures and times of the running process, live");
  top->add_option("--interval", line.top.interval, "seconds between two updates")->check(CLI::Range(0.1, 3600.0));
  top->add_option("-n,--count", line.top.count, "number of updates; default: until interrupted")
      ->check(CLI::Range(1, 1'000'000));
  connect(top);
  top->callback([&line] { line.code = top_command(line.target, line.top, line.json); });

  CLI::App* explain = app.add_subcommand("explain", "show what happens to a request, and why");
  explain->add_option("WORDS", line.explain.words, "METHOD URL, URL, or -- curl and its options");
  explain->add_option("-H,--header", line.explain.headers, "a header of the request: 'Name: value'");
  explain->add_option("--from", line.explain.from, "address of the client (default: 127.0.0.1)");
  explain->add_option("--sni", line.explain.sni, "server name of the TLS handshake (default: the URL's host)");
  explain->add_option("--alpn", line.explain.alpn,
                      "protocol of the TLS handshake (default: h2, if the listener has it)");
  explain->add_option("--at", line.explain.at, "time of the request, 2026-11-27T18:05Z (default: now)");
  explain->add_option("--listener", line.explain.listener, "listener that the request comes to (default: by the URL)");
  explain->add_flag("--live", line.explain.live, "ask the running process, with its weights and the health of servers");
  connect(explain);
  explain->callback([&line] {
    line.explain.target = line.target;
    line.code = explain_command(line.explain, line.json);
  });

  CLI::App* status = app.add_subcommand("status", "show listeners, groups and servers of the running process");
  connect(status);
  status->callback([&line] { line.code = status_command(line.target, line.json); });
  CLI::App* reload = app.add_subcommand("reload", "reload the configuration file in the running process");
  changes(reload);
  reload->callback([&line] { line.code = reload_command(line.target, line.dry_run, line.json); });
}

void add_texts(CLI::App& app, Line& line) {
  CLI::App* check = app.add_subcommand("check", "check a configuration and report every error");
  check->add_option("-c,--config,FILE", line.check.file, "configuration file, YAML or JSON");
  check->add_option("--format", line.check.format, "text, json or sarif")
      ->check(CLI::IsMember({"text", "json", "sarif"}));
  check->add_flag("--online", line.check.online, "resolve the names of servers, too");
  check->add_option("--as", line.check.cloud, "check the quotas of a cloud's load balancer: alb or aws-alb")
      ->check(CLI::IsMember({"alb", "aws-alb"}));
  check->add_flag("--strict", line.check.strict, "exit with 1 if there are warnings");
  check->add_flag("--json", line.json, "print JSON");
  check->callback([&line] {
    if (line.json) line.check.format = "json";
    line.code = check_command(line.check);
  });

  CLI::App* diff = app.add_subcommand("diff", "show what a change of the configuration does to requests");
  diff->add_option("OLD", line.diff.before, "configuration file as it was")->required();
  diff->add_option("NEW", line.diff.after, "configuration file as it will be")->required();
  diff->add_option("--log", line.diff.log, "access log whose requests are counted");
  diff->add_flag("--json", line.json, "print JSON");
  diff->callback([&line] { line.code = diff_command(line.diff, line.json); });

  CLI::App* schema = app.add_subcommand("schema", "print the JSON Schema of the configuration");
  schema->add_flag("--markdown", line.markdown, "print the reference in Markdown instead");
  schema->callback([&line] { line.code = schema_command(line.markdown); });

  CLI::App* version = app.add_subcommand("version", "print the version");
  version->add_flag("--json", line.json, "print JSON");
  version->callback([&line] { line.code = version_command(line.json); });

  CLI::App* help = app.add_subcommand("help", "print this help, or the help of a command");
  help->add_option("COMMAND", line.topic, "name of the command");
  help->callback([&] { line.code = help_command(app, line.topic); });
}

}  // namespace

int schema_command(bool markdown) {
  std::cout << (markdown ? config::reference_markdown() : config::schema()) << "\n";
  return 0;
}

int version_command(bool json) {
  if (json) {
    std::cout << nlohmann::json{{"name", "albatross"},
                                {"version", kVersion},
                                {"commit", kCommit},
                                {"without", kWithout}}
                     .dump()
              << "\n";
  } else {
    std::cout << version_text() << "\n";
  }
  return 0;
}

int run(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("albatross: an application load balancer that you own", "albatross");
  app.require_subcommand(1);
  app.set_version_flag("-v,--version", version_text(), "print the version");
  Line line;
  line.run.command.assign(argv, argv + argc);
  add_servers(app, line);
  add_clients(app, line);
  add_texts(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return wrong_usage(app, e);
  }
  return line.code;
}

}  // namespace albatross::cli
