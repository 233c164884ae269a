// The commands: one function for each, which returns the exit code: 0, 1 for errors, 2 for wrong usage. Main thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/admin_client.h"

namespace albatross::cli {

int run(int argc, char** argv);

struct RunOptions {
  std::string config;
  std::string from, to;
  std::string admin;  // overrides the file's value
  bool watch = false;
  std::string take_over;             // the admin socket of the process to take over from
  std::vector<std::string> command;  // the command line, as given
};
int run_command(const RunOptions& o);

struct RespondOptions {
  std::string listen;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  int status = 200;
};
int respond_command(const RespondOptions& o);

struct CheckOptions {
  std::string file;
  std::string format = "text";  // text, json or sarif
  bool strict = false;          // warnings make the exit code 1
  bool online = false;          // resolves names
  std::string cloud;            // whose quotas are checked: alb, aws-alb; empty: none
};
int check_command(const CheckOptions& o);
struct DiffOptions {
  std::string before, after;  // files
  std::string log;            // an access log; empty: none
};
int diff_command(const DiffOptions& o, bool json);
int schema_command(bool markdown);
int version_command(bool json);

struct ExplainOptions {
  AdminTarget target;              // with `live`; target.config is the file otherwise
  std::vector<std::string> words;  // METHOD URL, URL, or a command line of curl
  std::vector<std::string> headers;
  std::string listener, from;
  std::optional<std::string> sni, alpn;
  std::string at;  // a time, "2026-11-27T18:05:31Z"; empty: now
  bool live = false;
};
int explain_command(const ExplainOptions& o, bool json);

// Commands that ask the running process.
int status_command(const AdminTarget& admin, bool json);
struct TopOptions {
  double interval = 1;  // seconds
  int count = 0;        // screens; 0: until interrupted
};
int top_command(const AdminTarget& admin, const TopOptions& o, bool json);
struct WeightOptions {
  std::string what;  // LISTENER/RULE or GROUP/SERVER
  std::vector<std::string> weights;
  bool reset = false;
};
int weight_command(const AdminTarget& admin, const WeightOptions& o, bool dry_run, bool json);

struct DrainOptions {
  std::string what;  // GROUP/SERVER or LISTENER
  std::string timeout;
  bool wait = false;
};
int drain_command(const AdminTarget& admin, const DrainOptions& o, bool dry_run, bool json);
// `verb`: start, status, pause, promote, abort or undo. `rule`: LISTENER/RULE; for status it may be empty.
int rollout_command(const AdminTarget& admin, const std::string& verb, const std::string& rule, bool dry_run,
                    bool as_json);
int undrain_command(const AdminTarget& admin, const std::string& what, bool dry_run, bool json);
int reload_command(const AdminTarget& admin, bool dry_run, bool json);

}  // namespace albatross::cli
