// The top level of the file.
#include "config/env.h"
#include "config/lint_ids.h"
#include "config/table/table.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

using namespace std::chrono_literals;

// The word `off` and nothing else.
template <class T, class SetOff>
Type<T> off(SetOff set_off, const std::string& example) {
  return {{"`off`", {}, {{"const", "off"}}}, [set_off, example](Decoder& d, const Node& node, T& out) {
            const auto text = d.text(node);
            if (!text) return false;
            if (*text != "off") {
              d.error(node.at, "expected off or a mapping", "write it like " + example);
              return false;
            }
            set_off(out);
            return true;
          }};
}

template <class T, class SetOff>
Type<T> or_off(Type<T> rest, SetOff set_off) {
  Type<T> word = off<T>(set_off, rest.info.example);
  return scalar_or(std::move(word), std::move(rest));
}

// stdout, stderr, off or a file: the target and the path are one key.
Type<AccessLog> log_path() {
  return {{"path", "`stdout`, `stderr`, `off` or a file", text_schema()},
          [](Decoder& d, const Node& node, AccessLog& out) {
            const auto text = d.text(node);
            if (!text) return false;
            using Target = AccessLog::Target;
            if (text->empty()) {
              d.error(node.at, "the path is empty", "write off for no access log");
              return false;
            }
            out.target = *text == "stdout"   ? Target::kStdout
                         : *text == "stderr" ? Target::kStderr
                         : *text == "off"    ? Target::kOff
                                             : Target::kFile;
            if (out.target == Target::kFile) out.path = Value<std::string>(d.absolute(*text, node.at), node.at);
            return true;
          }};
}

Type<std::uint32_t> workers() {
  const Type<std::uint32_t> count = number(1, 256);
  TypeInfo info{"number or `auto`", count.info.range, {{"anyOf", {count.info.schema, {{"const", "auto"}}}}}};
  return {std::move(info),
          [count](Decoder& d, const Node& node, std::uint32_t& out) {
            if (node.kind == Node::Kind::kScalar && node.text == "auto") {
              out = 0;
              return true;
            }
            if (node.kind == Node::Kind::kScalar && has_env(node.text)) {
              const auto text = d.text(node);
              if (!text) return false;
              out = 0;
              if (*text == "auto") return true;
            }
            return count.decode(d, node, out);
          },
          [](const std::uint32_t& n) { return n == 0 ? Json("auto") : Json(n); }};
}

Type<std::vector<RuleSet>> rule_sets() {
  const Type<std::vector<Rule>> rules = rule_list();
  TypeInfo info{"mapping of name to " + rules.info.text, {}, {}};
  info.schema = {{"type", "object"},
                 {"propertyNames", {{"pattern", "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"}}},
                 {"additionalProperties", rules.info.schema}};
  return {std::move(info), [rules](Decoder& d, const Node& node, std::vector<RuleSet>& out) {
            if (node.kind != Node::Kind::kMapping) {
              d.wrong_kind(node, "a mapping", "write it like {common: " + rules.info.example + "}");
              return false;
            }
            for (const Node::Entry& entry : node.entries) {
              const auto scope = d.enter(entry.key);
              if (!is_name(entry.key)) {
                d.error(entry.at, "not a name",
                        "use letters, digits, . _ - and at most 63 of them, a letter or digit first");
              }
              RuleSet set;
              set.name = Value<std::string>(entry.key, entry.at);
              rules.decode(d, entry.value, set.rules);
              out.push_back(std::move(set));
            }
            return true;
          }};
}

using Levels = std::vector<std::pair<Value<std::string>, Lints::Level>>;

Type<Levels> lint_levels() {
  const Type<std::string> id = known_name("lint", lint_ids());
  const Type<Lints::Level> level =
      choice<Lints::Level>({{"warning", Lints::Level::kWarning}, {"error", Lints::Level::kError}});
  return map_of(id, level, "mapping of lint to `warning` or `error`", "write it like {drain-shorter: error}");
}

const Object<Assumptions>& assumptions_table() {
  static const Object<Assumptions> table = [] {
    Object<Assumptions> t("assumptions",
                          "What the file cannot know. A lint that needs a number that is not given is left out.");
    t.field("nodes", &Assumptions::nodes, number(1, 100'000), "How many albatrosses serve together.")
        .otherwise("not known");
    t.field("peak", &Assumptions::peak, per_second(1, 1'000'000'000),
            "The requests per second of all of them at the busiest time.")
        .otherwise("not known");
    t.field("boot_to_ready", &Assumptions::boot_to_ready, duration(0s, 24h),
            "The time from the order of a new server to its first request.")
        .otherwise("not known");
    t.field("scaling_cooldown", &Assumptions::scaling_cooldown, duration(0s, 24h),
            "The time for which the autoscaler waits after each change.")
        .otherwise("not known");
    t.field("slowest_response", &Assumptions::slowest_response, duration(0s, 24h),
            "The time that the slowest request takes on a server, such as a report.")
        .otherwise("not known");
    t.field("servers_keep_alive", &Assumptions::servers_keep_alive, duration(0s, 24h),
            "The time after which the servers close idle connections.")
        .otherwise("not known");
    return t;
  }();
  return table;
}

const Object<Zone>& zone_table() {
  static const Object<Zone> table = [] {
    Object<Zone> t("zone", "A place where servers run, which may fail as a whole.");
    t.field("capacity", &Zone::capacity, number(1, 1'000'000'000),
            "The requests per second that its servers can take together.")
        .otherwise("the sum of its servers' capacities");
    return t;
  }();
  return table;
}

Type<std::vector<Zone>> zones() {
  auto named = map_of(name(), object("zone", zone_table, "{capacity: 1000}"), "mapping of name to [zone](#zone)",
                      "write it like {a: {capacity: 1000}}");
  return {named.info, [named](Decoder& d, const Node& node, std::vector<Zone>& out) {
            std::vector<std::pair<Value<std::string>, Zone>> all;
            if (!named.decode(d, node, all)) return false;
            for (auto& [zone_name, zone] : all) {
              zone.name = std::move(zone_name);
              out.push_back(std::move(zone));
            }
            return true;
          }};
}

AccessLog& whole_log(AccessLog& log) { return log; }

// There is one format; naming it is allowed.
Type<AccessLog> log_format() {
  const Type<std::string> word = known_name("format", {"json"});
  return {word.info, [word](Decoder& d, const Node& node, AccessLog&) {
            std::string only;
            return word.decode(d, node, only);
          }};
}

const Object<AccessLog>& access_log_table() {
  static const Object<AccessLog> table = [] {
    Object<AccessLog> t("access_log", "A log with one line for each request.");
    t.field("path", whole_log, log_path(), "The destination of the log lines.").assume("stdout");
    t.field("format", whole_log, log_format(), "The format of a line. json: one JSON object.").assume("json");
    return t;
  }();
  return table;
}

// A name without a port.
Type<std::string> host_name() {
  return checked(text(), [](const std::string& text) -> std::pair<std::string, std::string> {
    const bool plain = text.find_first_of(":/*[]@ ") == std::string::npos;
    if (plain) return {};
    return {"\"" + text.substr(0, 64) + "\" is not a host name",
            "write it like albatross or lb.internal, without a port"};
  });
}

const Object<Admin>& admin_table() {
  static const Object<Admin> table = [] {
    Object<Admin> t("admin", "The interface for commands, status and metrics of the running process.");
    t.field("bind", &Admin::binds, list_of<Bind>(bind_address(), 1, true),
            "One or several addresses, each a unix socket or a TCP address. Over TCP anyone can read, and writes need "
            "the `token`.")
        .otherwise("`unix:/run/albatross/admin.sock`, or in the user's runtime directory");
    t.field("token", &Admin::token, text(), "The bearer token that a write over TCP must carry.")
        .otherwise("no writes over TCP");
    t.field("hosts", &Admin::hosts, list_of<Value<std::string>>(host_name(), 1, true),
            "Names that clients use for the TCP addresses, such as the name of a container. A request gets 403 if its "
            "Host is not an address, not localhost and not one of these names.")
        .otherwise("none");
    return t;
  }();
  return table;
}

const Object<Lints>& lints_table() {
  static const Object<Lints> table = [] {
    Object<Lints> t("lints", "What `albatross check` does with its findings, which docs/lints.md describes.");
    t.field("ignore", &Lints::ignore, list_of<Value<std::string>>(known_name("lint", lint_ids()), 1, true),
            "The findings that are not meant to be shown.")
        .otherwise("none");
    t.field("level", &Lints::levels, lint_levels(), "The level of findings. An error makes the command fail.")
        .otherwise("all are warnings");
    t.field("assume", &Lints::assume, object("assumptions", assumptions_table, "{nodes: 3, peak: 900/s}"),
            "Numbers that lints need and the file does not have.")
        .otherwise("none");
    return t;
  }();
  return table;
}

const Object<Shutdown>& shutdown_table() {
  static const Object<Shutdown> table = [] {
    Object<Shutdown> t("shutdown", "What the process does at SIGTERM: `delay`, then `drain`.");
    t.field("delay", &Shutdown::delay, duration(0s, 1h),
            "How long `/health` answers 503 while new requests are still accepted.");
    t.field("drain", &Shutdown::drain, duration(0s, 24h),
            "How long requests in flight may then continue before they are cut.");
    return t;
  }();
  return table;
}

const Object<Config>& process_limits() {
  static const Object<Config> table = [] {
    Object<Config> t("process_limits", "Limits of the whole process.");
    t.field("connections", &Config::max_connections, big_number(1, 10'000'000),
            "The largest number of client connections. It is lower if the descriptor limit allows fewer.");
    t.field("memory", &Config::max_memory, size(std::uint64_t{64} << 20, std::uint64_t{1} << 44),
            "The resident memory that counts as 100 % for the overload level.")
        .otherwise("the cgroup's limit, if it has one");
    return t;
  }();
  return table;
}

Config& self(Config& config) { return config; }

// The files have been read by now (config/include.h).
std::vector<Value<std::string>>& included_files(Config&) {
  thread_local std::vector<Value<std::string>> unused;
  return unused;
}

}  // namespace

const Object<Config>& config_table() {
  static const Object<Config> table = [] {
    Object<Config> t("config", "The configuration file.");
    t.field(
         "listeners", &Config::listeners,
         list_of<Listener>(
             object("listener", listener_table, "{name: web, bind: \":8080\", default_actions: [forward: blue]}"), 1),
         "The addresses where clients connect, each with its rules.")
        .required();
    t.field("server_groups", &Config::server_groups,
            list_of<ServerGroup>(
                object("server_group", group_table, "{name: blue, servers: [{address: \"10.0.0.1:80\"}]}")),
            "The groups of servers that requests are forwarded to.")
        .otherwise("none");
    t.field("rule_sets", &Config::rule_sets, rule_sets(), "Named lists of rules that several listeners can use.")
        .otherwise("none");
    t.field("access_log", &Config::access_log,
            or_off(object("access_log", access_log_table, "{path: stdout}"),
                   [](AccessLog& log) { log.target = AccessLog::Target::kOff; }),
            "The access log.")
        .otherwise("off");
    t.field("admin", &Config::admin,
            or_off(object("admin", admin_table, "{bind: \"127.0.0.1:9900\"}"), [](Admin& admin) { admin.off = true; }),
            "The admin API.")
        .otherwise("on its default socket");
    t.field("include", included_files, list_of<Value<std::string>>(text(), 1, true),
            "Further files. Their keys are added to the keys of this file. File names may have wildcards. Lists are "
            "appended in the order of the file names; any other key that is set twice is an error.")
        .otherwise("only this file");
    t.field("shutdown", &Config::shutdown, object("shutdown", shutdown_table, "{drain: 30s}"),
            "What happens at SIGTERM.");
    t.field("lints", &Config::lints, object("lints", lints_table, "{ignore: [one-zone]}"),
            "What `albatross check` does with its findings.");
    t.field("zones", &Config::zones, zones(), "What is known of the zones of servers.").otherwise("nothing");
    t.field("state_dir", &Config::state_dir, file_path(),
            "The folder for what outlives the process, such as the state of rollouts. Only its owner may enter it.")
        .otherwise("systemd's `STATE_DIRECTORY`, or `albatross` in the user's state folder");
    t.field("zone", &Config::zone, name(), "The zone that this process runs in, for `zone_affinity`.")
        .otherwise("none");
    t.field("workers", &Config::workers, workers(),
            "The number of worker threads. `auto` is one for each core within the CPU quota of the cgroup.");
    t.field("limits", self, object("process_limits", process_limits, "{connections: 10000}"),
            "Limits of the whole process.");
    return t;
  }();
  return table;
}

void add_config_tables(Tables& tables) {
  tables.insert(tables.end(), {&config_table().info(), &access_log_table().info(), &admin_table().info(),
                               &lints_table().info(), &assumptions_table().info(), &zone_table().info(),
                               &shutdown_table().info(), &process_limits().info()});
}

Tables all_tables() {
  Tables tables;
  add_config_tables(tables);
  add_listener_tables(tables);
  add_rule_tables(tables);
  add_pattern_tables(tables);
  add_action_tables(tables);
  add_group_tables(tables);
  return tables;
}

}  // namespace albatross::config
