// The configuration in the form that workers use: one part for each listener and one for each group. A part that a
// change does not touch is the same object in the next snapshot. Const and shared; built on the builder thread, or at
// start on the control thread. Workers take parts up one by one and send old ones back to the control thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "healthcheck/circuit.h"
#include "healthcheck/passive.h"
#include "http/forwarded.h"
#include "http/underscores.h"
#include "proxy/stats.h"
#include "proxy/upstream/server_settings.h"
#include "routing/balancing/balancer.h"
#include "routing/rules/route.h"
#include "session/session.h"

namespace albatross {

class TlsServer;

// The compiled rules of one listener, with the counters of each route.
struct RuleSet {
  std::uint64_t digest = 0;  // config::Listener::digest, which tells a reload whether they changed
  std::shared_ptr<const RuleTable> table;
  Routes routes;
  std::vector<RuleStatsRef> stats;                        // by the index in routes.all
  std::map<const Route*, std::vector<ArmStatsRef>> arms;  // of the routes that are watched, by target
};

// The replacement of the text of one of our own answers.
struct ErrorPage {
  std::uint16_t code = 0;
  std::string content_type;
  std::string body;
  friend bool operator==(const ErrorPage&, const ErrorPage&) = default;
};

struct ListenerRuntime {
  std::string name;
  std::string port_text;  // the port that was bound, as text; "" for a unix socket
  std::string bind;       // the key of its sockets in process/sockets.h
  bool secure = false;
  SessionSettings session;
  ForwardedPolicy forwarded;
  std::vector<Network> proxy_from;
  EncodedSlash slashes = EncodedSlash::kReject;
  bool strict_sni = false;
  std::vector<Network> explain_from;  // clients whose x-albatross-explain is answered
  Underscores underscores = Underscores::kProtect;
  std::vector<ErrorPage> error_pages;
  std::shared_ptr<TlsServer> tls;
  std::shared_ptr<const RuleSet> rules;
  ListenerStatsRef stats;
};

struct ServerEntry {
  std::shared_ptr<ServerSlot> slot;
  std::shared_ptr<const ServerSettings> settings;
  std::uint32_t weight = 100;  // as the file says
  std::string zone;
  bool backup = false;
  std::uint32_t max_requests = 0;  // in flight; 0: any number
  std::string host;                // its name in probes, "app.internal:8080"
  std::string sticky_value;        // the value of its cookie, a number in hexadecimal; "" if the group is not sticky
  ServerStatsRef stats;
};

struct StickySettings {
  std::string cookie;  // "": not sticky
  std::string app_cookie;
  Nanos max_age = 0;
  SameSite samesite = SameSite::kLax;
  boost::unordered_flat_map<std::uint64_t, int> servers;  // the index of each server by the number in its cookie
};

// The part of a request that the hash schedulers hash.
struct HashSource {
  using On = config::Hash::On;
  On on = On::kSourceIp;
  std::string name;
  HashTable::Kind kind = HashTable::Kind::kMaglev;
};

struct RetryPolicy {
  using Codes = std::vector<std::pair<std::uint16_t, std::uint16_t>>;
  int tries = 2;  // the first one included
  bool on_connect = true;
  bool on_reset = true;
  bool on_timeout = false;
  Nanos per_try = 0;  // of one try; 0: no limit
  Codes codes;        // statuses, from and to, inclusive
  double budget = 0.2;
  bool after_answer() const { return !codes.empty() || (on_timeout && per_try != 0); }
};

// How many requests may wait for room, and for how long.
struct QueueSettings {
  std::uint32_t size = 128;
  Nanos timeout = 5 * kSecond;
};

struct GroupRuntime {
  std::string name;
  std::uint64_t digest = 0;  // of its text, the addresses of its names and the content of tls.ca
  std::vector<ServerEntry> servers;
  BalancerSettings balancing;
  HashSource hash;
  StickySettings sticky;
  PassiveCheck passive;
  RetryPolicy::Codes failure_codes{{500, 599}};  // statuses of answers that count as failures of the server
  Circuit circuit;
  QueueSettings queue;
  bool queues = false;  // there is a limit, so requests may have to wait
  std::shared_ptr<GroupSlot> slot;
  std::shared_ptr<const HashTable> hash_table;  // for the hash schedulers, by the weights when it was built
  std::string zone;                             // the process's zone, if its servers come first; else ""
  bool fail_open = true;
  bool drain_unhealthy = false;
  RetryPolicy retries;
  Nanos response_timeout = 0;  // 0: the route's value
  Nanos drain = 300 * kSecond;
  GroupStatsRef stats;

  bool fails(int status) const {
    for (const auto& [low, high] : failure_codes) {
      if (status >= low && status <= high) return true;
    }
    return false;
  }
};

struct Snapshot {
  std::uint64_t generation = 0;
  std::shared_ptr<const config::Config> config;
  std::vector<std::shared_ptr<const ListenerRuntime>> listeners;
  std::vector<std::shared_ptr<const GroupRuntime>> groups;
};

}  // namespace albatross
