// What the workers serve by, in parts that are versioned one by one: a part of which nothing changed is the same object
// as before. Const, shared, built on the builder thread, pinned by who uses it, destroyed on the control thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "healthcheck/circuit.h"
#include "healthcheck/passive.h"
#include "http/forwarded.h"
#include "proxy/stats.h"
#include "proxy/upstream/server_settings.h"
#include "routing/balancing/balancer.h"
#include "routing/rules/route.h"
#include "session/session.h"

namespace albatross {

class TlsServer;

// The rules of one listener, compiled, with what each route counts in.
struct RuleSet {
  std::uint64_t digest = 0;  // of the listener's text
  std::shared_ptr<const RuleTable> table;
  Routes routes;
  std::vector<RuleStatsRef> stats;  // beside routes.all
};

struct ListenerRuntime {
  std::string name;
  std::string port_text;  // of the address that was bound
  std::string bind;       // which socket: see process/sockets.h
  bool secure = false;
  SessionSettings session;
  ForwardedPolicy forwarded;
  std::vector<Network> proxy_from;
  EncodedSlash slashes = EncodedSlash::kReject;
  bool strict_sni = false;
  std::shared_ptr<TlsServer> tls;
  std::shared_ptr<const RuleSet> rules;
  ListenerStatsRef stats;
};

struct ServerEntry {
  std::shared_ptr<ServerSlot> slot;
  std::shared_ptr<const ServerSettings> settings;
  std::uint32_t weight = 100;  // of the file
  std::string zone;
  bool backup = false;
  std::uint32_t max_requests = 0;  // 0: any
  std::string host;                // what probes call it, "app.internal:8080"
  std::string sticky_value;        // of its cookie, a number in hexadecimal; "": the group has none
  ServerStatsRef stats;
};

struct StickySettings {
  std::string cookie;  // "": not sticky
  std::string app_cookie;
  Nanos max_age = 0;
  boost::unordered_flat_map<std::uint64_t, int> servers;  // by their cookies' numbers
};

// What the hash schedulers hash.
struct HashSource {
  using On = config::Hash::On;
  On on = On::kSourceIp;
  std::string name;
  HashTable::Kind kind = HashTable::Kind::kMaglev;
};

struct RetryPolicy {
  using Codes = std::vector<std::pair<std::uint16_t, std::uint16_t>>;
  int tries = 2;  // with the first
  bool on_connect = true;
  bool on_reset = true;
  bool on_timeout = false;
  Nanos per_try = 0;  // 0: none
  Codes codes;        // inclusive
  double budget = 0.2;
  bool after_answer() const { return !codes.empty() || (on_timeout && per_try != 0); }
};

// Requests that wait for room.
struct QueueSettings {
  std::uint32_t size = 128;
  Nanos timeout = 5 * kSecond;
};

struct GroupRuntime {
  std::string name;
  std::uint64_t digest = 0;  // of the group's text and of the addresses that its names stand for
  std::vector<ServerEntry> servers;
  BalancerSettings balancing;
  HashSource hash;
  StickySettings sticky;
  PassiveCheck passive;
  Circuit circuit;
  QueueSettings queue;
  bool queues = false;  // there is a limit to wait for
  std::shared_ptr<GroupSlot> slot;
  std::shared_ptr<const HashTable> hash_table;  // by the weights of when it was built
  std::string zone;                             // ours, if it comes first
  bool fail_open = true;
  bool drain_unhealthy = false;
  RetryPolicy retries;
  Nanos response_timeout = 0;  // 0: the route's
  Nanos drain = 300 * kSecond;
  GroupStatsRef stats;
};

struct Snapshot {
  std::uint64_t generation = 0;
  std::shared_ptr<const config::Config> config;
  std::vector<std::shared_ptr<const ListenerRuntime>> listeners;
  std::vector<std::shared_ptr<const GroupRuntime>> groups;
};

}  // namespace albatross
