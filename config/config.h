// The configuration as plain structs: what a file says, typed, with the place of each scalar. A member's initialiser is
// the default of its key; the field table (config/table/table.h) has the ranges and shows the defaults in the schema.
//
// Built by config::load (config/load.h) on any thread, then const. Everything is owned by value. Checks that need a
// socket, OpenSSL or RE2, such as whether a regex compiles, are made by the room that builds the part, which reports
// errors at the Place kept here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace albatross::config {

using Duration = std::chrono::milliseconds;
constexpr Nanos nanos(Duration d) { return static_cast<Nanos>(d.count()) * kMilli; }

// The place of a scalar in its file. Lines and columns count from 1, columns in bytes. Line 0: a default that is not in
// the file.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t file = 0;  // the index in Diagnostics: 0 is the file that was named, others are those that it includes
  bool written() const { return line != 0; }
};

// A scalar and its place. Converts to the scalar.
template <class T>
struct Value {
  T value{};
  Place at{};

  Value() = default;
  // implicit on purpose: a Value can be used wherever its scalar can
  Value(T v, Place p = {}) : value(std::move(v)), at(p) {}  // NOLINT(google-explicit-constructor)
  operator const T&() const { return value; }               // NOLINT(google-explicit-constructor)
  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }
  bool written() const { return at.written(); }
};

// A text pattern of a condition. `text` is the plain bytes for kExact and kPrefix, the pattern with its `\` escapes for
// kWildcard, and the source for RE2 for kRegex.
struct Pattern {
  enum class Kind : std::uint8_t { kExact, kPrefix, kWildcard, kRegex, kRange };
  Kind kind = Kind::kExact;
  bool ignore_case = false;  // kRegex only; hosts always ignore case
  std::string text;
  Place at{};
  std::int64_t least = 0, most = 0;  // kRange: decimal integers from least to most
};

// When a time condition holds: on these days, from one time of the day to another, by the clocks of a place. Hours that
// end before they begin go on after midnight and belong to the day on which they began.
struct TimeWindow {
  std::uint8_t days = 0x7f;           // bit 0: Sunday
  std::uint16_t from = 0, to = 1440;  // minutes of the day; `to` is no part of it
  Value<std::string> zone{"UTC"};     // a name of the IANA time zone database
};

struct Condition {
  // kItems is about the members of a header that is a list, kHeader about its lines.
  enum class Kind : std::uint8_t {
    kHost,
    kPath,
    kHeader,
    kItems,
    kCookie,
    kQuery,
    kMethod,
    kSourceIp,
    kTime,
    kSni,   // the host that the client asked for in its TLS handshake; holds for no connection without
    kAlpn,  // the protocol that TLS chose, exactly
    kNot,
    kAll,
    kAny
  };
  Kind kind = Kind::kHost;
  std::string name;                          // header and items (lower case), cookie and query: the name; else empty
  std::vector<Pattern> patterns;             // any may match; kMethod: exact tokens
  std::vector<Value<std::string>> networks;  // kSourceIp: validated "address/bits" texts
  TimeWindow time;                           // kTime
  std::vector<Condition> inner;              // kNot: exactly one; kAll, kAny: at least one
  Place at{};
};

struct WeightedGroup {
  Value<std::string> name;
  Value<std::uint32_t> weight{100};  // 0..10000
};

// The SameSite attribute of a cookie. kNone sets Secure, too, because browsers refuse it otherwise.
enum class SameSite : std::uint8_t { kLax, kStrict, kNone };

// Keeps a client on its first group.
struct GroupSticky {
  Value<Duration> max_age{Duration(1'000'000)};  // 1 s .. 86400 s
  Value<SameSite> samesite{SameSite::kLax};
};

// What ends a rollout: the new group does worse than the others by that factor.
struct AbortIf {
  double errors = 2;                                           // the share of requests that fail; 0: not looked at
  double p99 = 0;                                              // the time to the head of the answer; the same
  std::vector<std::pair<Value<std::string>, double>> metrics;  // by their names: events per request
};

// Moves the requests of a rule to one of its groups in steps, while the new group does not do worse than the others.
// Begun by `albatross rollout start`.
struct Rollout {
  Value<std::string> to;
  std::vector<Value<std::uint32_t>> steps{5, 25, 50, 100};  // percent of the requests, ascending; at least one
  Value<Duration> pause{Duration(300'000)};                 // the least time of a step; 1 s .. 168 h
  Value<std::uint32_t> minimum{100};                        // the fewest requests of the new group in a step
  AbortIf abort_if;
  Place at{};
};

struct Forward {
  std::vector<WeightedGroup> groups;  // at least one
  std::optional<GroupSticky> sticky;  // absent: a group is chosen for each request
  std::optional<Rollout> rollout;
};

// Templates: their variables are not expanded yet; routing compiles them.
struct Redirect {
  std::optional<Value<std::string>> protocol, host, port, path, query;
  Value<std::uint16_t> code{308};  // 301 302 303 307 308
};

struct FixedResponse {
  Value<std::uint16_t> code{200};  // 200..599, no 1xx
  Value<std::string> content_type{"text/plain; charset=utf-8"};
  Value<std::string> body;
};

struct Rewrite {
  std::optional<Value<std::string>> host, path, query;
};

struct HeaderEdit {
  Value<std::string> name;   // as written; a token
  Value<std::string> value;  // template; empty for remove
};

struct Action {
  enum class Kind : std::uint8_t { kForward, kRedirect, kFixedResponse, kRewrite, kInsertHeader, kRemoveHeader };
  Kind kind = Kind::kForward;
  Forward forward;
  Redirect redirect;
  FixedResponse fixed_response;
  Rewrite rewrite;
  HeaderEdit header;
  Place at{};
};

// A listener's timers.
struct Timeouts {
  Value<Duration> idle{Duration(15'000)};
  Value<Duration> handshake{Duration(10'000)};
  Value<Duration> request_head{Duration(10'000)};
  Value<Duration> request_body{Duration(30'000)};
  Value<std::uint64_t> request_body_rate{240};  // the least rate, bytes a second, 0 .. 1 GiB; 0: any
  Value<Duration> response{Duration(60'000)};
  Value<Duration> send{Duration(60'000)};
  std::optional<Value<Duration>> total;  // absent: no limit
  Value<Duration> tunnel{Duration(3'600'000)};
};

// The timers that a rule has of its own; absent: the listener's.
struct RuleTimeouts {
  std::optional<Value<Duration>> request_body, response, send, total, tunnel;
  std::optional<Value<std::uint64_t>> request_body_rate;
};

struct Limits {
  Value<std::uint64_t> request_head{32 * 1024};  // bytes, 1 KiB .. 1 MiB
  Value<std::uint64_t> target{16 * 1024};        // bytes, 64 B .. 1 MiB
  Value<std::uint64_t> fields{100};              // count, 1 .. 1000
  std::optional<Value<std::uint64_t>> body;      // bytes; absent: no limit
};

struct Rule {
  Value<std::string> name;
  Value<std::uint32_t> priority;  // 1..50000
  std::vector<Condition> conditions;
  std::vector<Action> actions;  // the last one answers
  RuleTimeouts timeouts;
  std::optional<Value<std::uint64_t>> body_limit;  // bytes, the rule's `limits.body`; absent: the listener's
  Place at{};
};

// A named list of rules that listeners share.
struct RuleSet {
  Value<std::string> name;
  std::vector<Rule> rules;  // as written, not sorted
};

struct Certificate {
  Value<std::string> cert;  // absolute paths
  Value<std::string> key;
  Place at{};
};

struct XForwarded {
  enum class For : std::uint8_t { kAppend, kRemove, kPreserve, kProcess };
  Value<For> forwarded_for{For::kAppend};
  Value<bool> proto{true};
  Value<bool> port{false};
  Value<bool> host{false};
};

// Request fields whose names have a `_`, which some servers read as `-`.
enum class Underscores : std::uint8_t {
  kProtect,  // dropped where, with `-` for `_`, the proxy sets or strips the field or a rule reads or edits it
  kPass,
  kDrop
};

// A file that replaces the text of one of our own answers.
struct ErrorPage {
  std::uint16_t code = 0;   // 400 .. 599
  Value<std::string> file;  // absolute path
};

// A parsed `bind`. kTcp with an empty host listens on v4 and v6.
struct Bind {
  enum class Kind : std::uint8_t { kTcp, kUnix };
  Kind kind = Kind::kTcp;
  std::string host;  // "", an address without brackets, with a zone after "%", or a name; kUnix: the absolute path
  std::uint16_t port = 0;  // 0: the kernel picks
  std::string text;        // as written
  Place at{};
};

struct Listener {
  // load() refuses what this version does not build (config/table/not_built.cc).
  enum class Protocol : std::uint8_t { kHttp, kHttps, kQuic, kTcp, kTls, kUdp };
  Value<std::string> name;
  Bind bind;
  Value<Protocol> protocol{Protocol::kHttp};
  std::vector<Certificate> certificates;
  Value<std::string> security_policy{"tls_cipher_policy_1_2_strict_with_1_3"};
  std::optional<Value<bool>> http2;
  Timeouts timeouts;
  Limits limits;
  std::vector<Value<std::string>> trusted_proxies;
  std::vector<Value<std::string>> proxy_protocol_from;  // empty: no PROXY header is read
  XForwarded x_forwarded;
  bool encoded_slash_pass = false;
  bool half_close = false;
  bool strict_sni = false;
  std::vector<Value<std::string>> explain_from;  // clients whose x-albatross-explain is answered; empty: nobody's
  Underscores underscores = Underscores::kProtect;
  std::vector<ErrorPage> error_pages;
  Value<std::string> rule_set;  // empty: the rules are its own
  std::vector<Rule> rules;      // its own, or a copy of the rule_set's; sorted by priority
  std::vector<Action> default_actions;
  Place at{};
  std::uint64_t digest = 0;  // of its text without positions; equal digests: equal settings
};

struct Server {
  Value<std::string> address;  // as written
  std::string host;            // without brackets; for "unix:" servers the absolute path
  std::uint16_t port = 0;
  bool is_unix = false;
  Value<std::uint32_t> weight{100};  // 0..10000
  Value<std::string> zone;
  Value<std::uint32_t> capacity{0};         // requests a second that it can take; 0: not known
  Value<bool> backup{false};                // used only when no other is usable
  Value<std::uint32_t> max_requests{0};     // in flight, of the whole process; 0: no limit
  Value<std::uint32_t> max_connections{0};  // of the whole process, divided among its workers; 0: no limit
};

// What the hash schedulers hash a request by.
struct Hash {
  enum class On : std::uint8_t { kSourceIp, kHeader, kCookie, kQuery, kPath };
  enum class Algorithm : std::uint8_t { kMaglev, kKetama };
  Value<On> on{On::kSourceIp};
  Value<std::string> name;  // of the header, cookie or query parameter
  Value<Algorithm> algorithm{Algorithm::kMaglev};
  Value<std::uint32_t> max_load{0};  // percent of a server's share of the load, 101 .. 1000; 0: no bound
};

// The cookie that keeps a client on its first server.
struct Sticky {
  Value<Duration> max_age{Duration(1'000'000)};  // 1 s .. 86400 s
  Value<std::string> cookie;                     // its name; empty: albatross-server-GROUP
  Value<std::string> app_cookie;                 // ours is set only with this one, as a session cookie; empty: always
  Value<std::string> key;  // the secret that the cookie's value is made with; empty: the group's name
  Value<SameSite> samesite{SameSite::kLax};
};

// When a server that fails requests is ejected, so that it gets none for a while.
struct PassiveCheck {
  Value<std::uint32_t> failures{5};            // in a row, 1 .. 1000
  Value<Duration> ejection{Duration(30'000)};  // base time, multiplied by the number of recent ejections; 1 s .. 3600 s
  Value<std::uint32_t> max_ejected{50};        // percent of the group's servers at once, 1 .. 100
  std::vector<std::pair<std::uint16_t, std::uint16_t>> codes{
      {500, 599}};  // inclusive; responses that count as failures
  // Judged at each interval, for servers that had min_requests in it; 0: not judged.
  Value<std::uint32_t> failure_percent{0};     // 1 .. 100
  Value<std::uint32_t> latency_factor{0};      // times the median of the group's servers, 2 .. 100
  Value<std::uint32_t> min_requests{20};       // 1 .. 100000
  Value<Duration> interval{Duration(10'000)};  // 1 s .. 300 s
};

// When a group that fails gets no requests for a while.
struct CircuitBreaker {
  Value<std::uint32_t> failure_percent{50};  // 1 .. 100
  Value<std::uint32_t> min_requests{20};     // in a window, 1 .. 100000
  Value<Duration> window{Duration(10'000)};  // 1 s .. 300 s
  Value<Duration> open{Duration(10'000)};    // 1 s .. 300 s
};

// Requests that wait for a server that is full.
struct Queue {
  Value<std::uint32_t> size{128};           // requests, of the whole process, 0 .. 100000
  Value<Duration> timeout{Duration(5000)};  // 10 ms .. 300 s
};

// When a failed request is tried again. It never is if it may have had an effect, unless its method is idempotent.
struct Retries {
  enum class On : std::uint8_t { kConnect, kReset, kTimeout };
  Value<std::uint32_t> tries{2};                   // the first one included, 1 .. 5
  std::optional<Value<Duration>> per_try_timeout;  // from the request's end to the response's head; absent: none
  std::vector<On> on{On::kConnect, On::kReset};
  std::vector<std::pair<std::uint16_t, std::uint16_t>> codes;  // inclusive; responses to idempotent requests
  Value<std::uint32_t> budget{20};                             // percent of the active requests, 1 .. 100
};

// How the share of a server that is new or was unhealthy grows to the full one.
struct SlowStart {
  enum class Curve : std::uint8_t { kLinear, kSquare, kRoot };
  Value<Duration> window{Duration(30'000)};  // 1 s .. 900 s
  Value<Curve> curve{Curve::kLinear};
};

struct HealthCheck {
  enum class Protocol : std::uint8_t { kHttp, kHttps, kTcp, kGrpc };
  Value<Protocol> protocol{Protocol::kHttp};  // default: as the group
  Value<std::string> service;                 // kGrpc: the service asked about; empty: the server as a whole
  Value<std::string> path{"/"};
  Value<std::string> method{"HEAD"};              // HEAD or GET
  Value<std::string> host;                        // Host field of the probe; empty: the server's address
  Value<std::uint16_t> port{0};                   // 0: the server's own
  Value<Duration> interval{Duration(2000)};       // 100 ms .. 300 s
  std::optional<Value<Duration>> doubt_interval;  // while probes contradict the state; absent: the interval
  Value<Duration> timeout{Duration(5000)};        // 100 ms .. 300 s
  Value<std::uint32_t> healthy_threshold{3};      // 1 .. 10
  Value<std::uint32_t> unhealthy_threshold{3};    // 1 .. 10
  Value<bool> starts_healthy{true};               // until the first probe has an answer; written `initial_state`
  std::vector<std::pair<std::uint16_t, std::uint16_t>> codes{{200, 299}};  // inclusive; written as 2xx, 200, 200-299
};

struct UpstreamTls {
  Value<std::string> ca;           // absolute path; empty: the system's
  Value<std::string> server_name;  // empty: the server's host
  Value<bool> verify{true};
};

struct ServerGroup {
  enum class Protocol : std::uint8_t { kHttp, kHttps, kH2c, kH2, kGrpc, kGrpcs };
  // sch, uch: hash of the source address, of a query parameter
  enum class Scheduler : std::uint8_t { kWrr, kWlc, kP2c, kHash, kSch, kUch };
  Value<std::string> name;
  Value<Protocol> protocol{Protocol::kHttp};
  Value<Scheduler> scheduler{Scheduler::kWrr};
  Hash hash;
  std::optional<SlowStart> slow_start;
  std::optional<Sticky> sticky;
  std::optional<PassiveCheck> passive_check;
  Value<bool> zone_affinity{false};
  std::vector<Server> servers;
  std::optional<HealthCheck> health_check;
  Value<bool> fail_open{true};
  Value<Duration> connection_drain{Duration(300'000)};  // 0 .. 900 s
  Value<Duration> connect_timeout{Duration(5000)};
  std::optional<Value<Duration>> response_timeout;  // absent: the rule's or the listener's
  Value<Duration> keep_alive_idle{Duration(60'000)};
  // Idle connections to each server, of the whole process; 0: none kept; absent: as many as were in use at once lately.
  std::optional<Value<std::uint32_t>> keep_alive_pool;
  Retries retries;
  Value<std::uint32_t> max_requests{0};  // in flight on the group, of the whole process; 0: no limit
  Value<std::uint32_t> max_connections{
      0};  // to its servers, of the whole process, divided among its workers; 0: no limit
  Queue queue;
  std::optional<CircuitBreaker> circuit_breaker;
  Value<bool> drain_unhealthy{false};  // requests on a server that becomes unhealthy must end within connection_drain
  Value<bool> accept_repeated_chunked{false};        // responses that say `Transfer-Encoding: chunked` twice are read
  std::vector<Value<std::string>> source_addresses;  // of connections to servers, in turn; empty: the kernel chooses
  UpstreamTls tls;
  Place at{};
  std::uint64_t digest = 0;  // as Listener::digest
};

struct AccessLog {
  enum class Target : std::uint8_t { kOff, kStdout, kStderr, kFile };
  Target target = Target::kOff;  // no `access_log` key: off
  Value<std::string> path;       // kFile: absolute
};

struct Admin {
  std::vector<Bind> binds;                // empty: the default socket
  Value<std::string> token;               // writes over TCP need it; empty: no writes over TCP
  std::vector<Value<std::string>> hosts;  // names that a request's Host may have over TCP, besides addresses
  bool off = false;                       // `admin: off`
  bool overridden = false;                // by the command line: the file's value is not used
};

// What no file of ours knows, and lints count with. Absent: not known.
struct Assumptions {
  std::optional<Value<std::uint32_t>> nodes;  // how many albatrosses there are
  std::optional<Value<std::uint32_t>> peak;   // requests a second of all of them
  std::optional<Value<Duration>> boot_to_ready, scaling_cooldown;
  std::optional<Value<Duration>> slowest_response;    // that a server takes, and is meant to
  std::optional<Value<Duration>> servers_keep_alive;  // after which servers close idle connections
};

// What `albatross check` makes of its findings.
struct Lints {
  enum class Level : std::uint8_t { kWarning, kError };
  std::vector<Value<std::string>> ignore;                    // ids
  std::vector<std::pair<Value<std::string>, Level>> levels;  // of ids; the others warn
  Assumptions assume;
};

// At SIGTERM: first new requests are accepted for `delay`, then those in flight have `drain` to end.
struct Shutdown {
  Value<Duration> delay{Duration(0)};
  Value<Duration> drain{Duration(30'000)};
};

// A place where servers run, which may fail as a whole.
struct Zone {
  Value<std::string> name;
  Value<std::uint32_t> capacity{0};  // requests a second that its servers can take; 0: the sum of theirs
};

struct Config {
  std::string file;                   // as given; empty for a built-in configuration
  std::vector<std::string> includes;  // absolute paths with wildcards in the last part, of `include`
  std::vector<std::string> included;  // absolute paths of the files that `include` has found
  std::vector<Listener> listeners;
  std::vector<ServerGroup> server_groups;
  std::vector<RuleSet> rule_sets;  // already copied into the listeners that name them
  AccessLog access_log;
  Admin admin;
  Shutdown shutdown;
  Lints lints;
  std::vector<Zone> zones;
  Value<std::string> state_dir;                    // absolute; empty: the default
  Value<std::string> zone;                         // in which this process runs; empty: none
  std::uint32_t workers = 0;                       // 0: auto
  Value<std::uint64_t> max_connections{100'000};   // of clients; `limits.connections` at the top level
  std::optional<Value<std::uint64_t>> max_memory;  // bytes, `limits.memory`; absent: the cgroup's limit
};

}  // namespace albatross::config
