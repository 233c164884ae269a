#include "cli/commands.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

#include "config/load.h"

namespace albatross::cli {

int schema_command(bool markdown) {
  std::cout << (markdown ? config::reference_markdown() : config::schema()) << "\n";
  return 0;
}

int version_command(bool json) {
  if (json) {
    std::cout << nlohmann::json{{"name", "albatross"}, {"version", ALBATROSS_VERSION}}.dump() << "\n";
  } else {
    std::cout << "albatross " << ALBATROSS_VERSION << "\n";
  }
  return 0;
}

int run(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("albatross: an application load balancer that you own");
  app.require_subcommand(1);
  int code = 0;
  bool json = false;
  std::string admin;

  RunOptions run_options;
  CLI::App* run = app.add_subcommand("run", "run the proxy");
  auto* config = run->add_option("-c,--config", run_options.config, "the configuration, YAML or JSON");
  auto* from = run->add_option("--from", run_options.from, "listen here, without a file: :8080 or 127.0.0.1:8080");
  run->add_option("--to", run_options.to, "forward there: 127.0.0.1:3000")->needs(from);
  from->excludes(config);
  run->add_option("--admin", run_options.admin, "the admin address: unix:/path, 127.0.0.1:9900 or off");
  run->add_flag("--watch", run_options.watch, "reload when the file changes");
  run->callback([&] { code = run_command(run_options); });

  std::string check_file;
  CLI::App* check = app.add_subcommand("check", "read a configuration and name every error");
  check->add_option("-c,--config", check_file, "the configuration")->required();
  check->add_flag("--json", json, "print JSON");
  check->callback([&] { code = check_command(check_file, json); });

  RespondOptions respond_options;
  CLI::App* respond = app.add_subcommand("respond", "a tiny server for demos and tests");
  respond->add_option("--listen", respond_options.listen, "the address: 127.0.0.1:9001")->required();
  respond->add_option("--body", respond_options.body, "what it answers");
  respond->add_option("--status", respond_options.status, "the status code")->check(CLI::Range(200, 599));
  respond->add_option("--content-type", respond_options.content_type, "the type of the body");
  respond->callback([&] { code = respond_command(respond_options); });

  auto client = [&](const char* name, const char* what, int (*f)(const std::string&, bool)) {
    CLI::App* c = app.add_subcommand(name, what);
    c->add_option("--admin", admin, "where the running process listens for commands");
    c->add_flag("--json", json, "print JSON");
    c->callback([&admin, &json, &code, f] { code = f(admin, json); });
  };
  client("status", "listeners, groups and servers of the running process", status_command);
  client("reload", "let the running process read its file again", reload_command);

  bool markdown = false;
  CLI::App* schema = app.add_subcommand("schema", "the JSON Schema of the configuration");
  schema->add_flag("--markdown", markdown, "the reference as Markdown instead");
  schema->callback([&] { code = schema_command(markdown); });

  CLI::App* version = app.add_subcommand("version", "the version");
  version->add_flag("--json", json, "print JSON");
  version->callback([&] { code = version_command(json); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    int shown = app.exit(e);
    return shown == 0 ? 0 : 2;
  }
  return code;
}

}  // namespace albatross::cli
