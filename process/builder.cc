#include "process/builder.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "tls/tls_client.h"
#include "tls/tls_server.h"

namespace albatross {
namespace {

using config::nanos;

void take(Nanos& into, const std::optional<config::Value<config::Duration>>& from) {
  if (from) into = nanos(from->value);
}

std::vector<Network> networks(const std::vector<config::Value<std::string>>& texts) {
  std::vector<Network> out;
  for (const auto& t : texts) {
    if (auto n = Network::parse(*t)) out.push_back(*n);
  }
  return out;
}

ForwardedFor forwarded_for(config::XForwarded::For f) {
  switch (f) {
    case config::XForwarded::For::kRemove: return ForwardedFor::kRemove;
    case config::XForwarded::For::kPreserve: return ForwardedFor::kPreserve;
    case config::XForwarded::For::kProcess: return ForwardedFor::kProcess;
    default: return ForwardedFor::kAppend;
  }
}

bool uses_tls(config::ServerGroup::Protocol p) {
  return p == config::ServerGroup::Protocol::kHttps || p == config::ServerGroup::Protocol::kH2 ||
         p == config::ServerGroup::Protocol::kGrpcs;
}

bool uses_h2(config::ServerGroup::Protocol p) {
  return p != config::ServerGroup::Protocol::kHttp && p != config::ServerGroup::Protocol::kHttps;
}

BalancerSettings balancing(const config::ServerGroup& g) {
  using S = config::ServerGroup::Scheduler;
  BalancerSettings b;
  switch (*g.scheduler) {
    case S::kWrr: b.scheduler = Scheduler::kRoundRobin; break;
    case S::kWlc: b.scheduler = Scheduler::kLeastOutstanding; break;
    case S::kP2c: b.scheduler = Scheduler::kTwoChoices; break;
    default: b.scheduler = Scheduler::kHash; break;
  }
  if (g.slow_start) {
    b.slow_start = {nanos(g.slow_start->window), *g.slow_start->curve};
  }
  b.local_first = g.zone_affinity;
  if (b.scheduler == Scheduler::kHash) b.max_load = g.hash.max_load;
  b.max_requests = g.max_requests;
  for (const config::Server& s : g.servers) b.limits |= *s.max_requests != 0;
  return b;
}

HashSource hash_source(const config::ServerGroup& g) {
  using S = config::ServerGroup::Scheduler;
  HashSource h;
  h.name = *g.hash.name;
  h.on = *g.scheduler == S::kSch   ? HashSource::On::kSourceIp
         : *g.scheduler == S::kUch ? HashSource::On::kQuery
                                   : *g.hash.on;
  h.kind = *g.hash.algorithm;
  return h;
}

StickySettings sticky(const config::ServerGroup& g) {
  if (!g.sticky) return {};
  return {g.sticky->cookie->empty() ? "albatross-server-" + *g.name : *g.sticky->cookie,
          *g.sticky->app_cookie,
          nanos(g.sticky->max_age),
          {}};
}

RetryPolicy retry_policy(const config::Retries& r) {
  using On = config::Retries::On;
  auto has = [&r](On on) { return std::find(r.on.begin(), r.on.end(), on) != r.on.end(); };
  RetryPolicy p;
  p.tries = static_cast<int>(*r.tries);
  p.on_connect = has(On::kConnect);
  p.on_reset = has(On::kReset);
  p.on_timeout = has(On::kTimeout);
  if (r.per_try_timeout) p.per_try = nanos(r.per_try_timeout->value);
  p.codes = r.codes;
  p.budget = *r.budget / 100.0;
  return p;
}

// Names the server to us and nobody else: a client can neither read an address in it nor make that of another server.
std::uint64_t sticky_number(const config::ServerGroup& g, const std::string& address) {
  const std::string& secret = g.sticky->key->empty() ? *g.name : *g.sticky->key;
  SipKey key{siphash({1, 0x616c626174726f73}, secret), siphash({2, 0x616c626174726f73}, secret)};
  return siphash(key, *g.name + "/" + address);
}

std::string hexadecimal(std::uint64_t n) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(n));
  return text;
}

// One element per server: the addresses to try for it.
std::vector<std::vector<SocketAddress>> addresses_of(const config::Server& s, const Names& names) {
  if (s.is_unix) return {{SocketAddress::unix_path(s.host)}};
  if (auto ip = IpAddress::parse(s.host)) return {{SocketAddress::tcp(*ip, s.port)}};
  if (s.host == "localhost") {
    return {{SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), s.port),
             SocketAddress::tcp(*IpAddress::parse("::1"), s.port)}};
  }
  std::vector<std::vector<SocketAddress>> out;
  if (auto it = names.find(s.host); it != names.end()) {
    for (const IpAddress& ip : it->second) out.push_back({SocketAddress::tcp(ip, s.port)});
  }
  return out;
}

std::shared_ptr<ListenerRuntime> listener_runtime(const config::Listener& l, std::uint16_t port) {
  auto r = std::make_shared<ListenerRuntime>();
  r->name = l.name;
  r->port_text = l.bind.kind == config::Bind::Kind::kTcp ? std::to_string(port) : "";
  r->secure = l.protocol.value == config::Listener::Protocol::kHttps;
  take(r->session.timeouts.handshake, l.timeouts.handshake);
  take(r->session.timeouts.idle, l.timeouts.idle);
  take(r->session.timeouts.request_head, l.timeouts.request_head);
  take(r->session.timeouts.send, l.timeouts.send);
  auto limit = [](std::uint32_t& into, const std::optional<config::Value<std::uint64_t>>& from) {
    if (from) into = static_cast<std::uint32_t>(from->value);
  };
  limit(r->session.limits.head, l.limits.request_head);
  limit(r->session.limits.target, l.limits.target);
  limit(r->session.limits.fields, l.limits.fields);
  r->forwarded.forwarded_for = forwarded_for(l.x_forwarded.forwarded_for);
  r->forwarded.proto = l.x_forwarded.proto;
  r->forwarded.port = l.x_forwarded.port;
  r->forwarded.host = l.x_forwarded.host;
  r->forwarded.trusted = networks(l.trusted_proxies);
  r->proxy_from = networks(l.proxy_protocol_from);
  r->slashes = l.encoded_slash_pass ? EncodedSlash::kPass : EncodedSlash::kReject;
  r->session.half_close = l.half_close;
  r->session.wire = l.http2.value_or(r->secure) ? Wire::kEither : Wire::kHttp1;
  return r;
}

}  // namespace

// Each worker's part of what the process may have.
std::uint32_t Builder::share_of(std::uint32_t whole) const {
  return whole == 0 ? 0 : std::max(1u, whole / static_cast<std::uint32_t>(workers_));
}

std::vector<std::string> Builder::names(const config::Config& config) {
  std::set<std::string> out;
  for (const auto& g : config.server_groups) {
    for (const auto& s : g.servers) {
      if (!s.is_unix && s.host != "localhost" && !IpAddress::parse(s.host)) out.insert(s.host);
    }
  }
  return {out.begin(), out.end()};
}

std::vector<std::shared_ptr<const ListenerRuntime>> Builder::listeners(
    const config::Config& config, const std::map<std::string, std::uint16_t>& ports, config::Diagnostics& out) {
  std::vector<std::shared_ptr<const ListenerRuntime>> all;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    std::string path = "listeners[" + std::to_string(i) + "]";
    auto port = ports.find(l.name);
    auto r = listener_runtime(l, port != ports.end() ? port->second : l.bind.port);
    if (r->secure) r->tls = TlsServer::create(l, path, tickets_, out);
    r->rules = RuleTable::compile(l, path, out);
    r->routes = compile_routes(config, l, path, out);
    all.push_back(std::move(r));
  }
  return all;
}

std::vector<std::shared_ptr<const GroupRuntime>> Builder::groups(const config::Config& config, const Names& names,
                                                                 config::Diagnostics& out) {
  std::vector<std::shared_ptr<const GroupRuntime>> all;
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const config::ServerGroup& g = config.server_groups[i];
    std::string path = "server_groups[" + std::to_string(i) + "]";
    auto r = std::make_shared<GroupRuntime>();
    r->name = g.name;
    r->balancing = balancing(g);
    r->hash = hash_source(g);
    r->sticky = sticky(g);
    if (const auto& p = g.passive_check) {
      r->passive = {p->failures,       nanos(p->ejection), p->max_ejected,    p->failure_percent,
                    p->latency_factor, p->min_requests,    nanos(p->interval)};
    }
    if (const auto& c = g.circuit_breaker)
      r->circuit = {c->failure_percent, c->min_requests, nanos(c->window), nanos(c->open)};
    r->queue = {g.queue.size, nanos(g.queue.timeout)};
    r->queues = *g.max_requests != 0 || *g.max_connections != 0;
    r->slot = servers_.group(g.name);
    r->drain_unhealthy = g.drain_unhealthy;
    if (g.zone_affinity) r->zone = *config.zone;
    r->fail_open = g.fail_open;
    r->retries = retry_policy(g.retries);
    r->drain = nanos(g.connection_drain);
    if (g.response_timeout) r->response_timeout = nanos(g.response_timeout->value);
    std::map<std::string, std::shared_ptr<TlsClient>> clients;  // one per name: a session belongs to a name
    std::set<std::string> seen;
    for (const config::Server& s : g.servers) {
      ServerSettings settings;
      settings.connect_timeout = nanos(g.connect_timeout);
      settings.idle = nanos(g.keep_alive_idle);
      std::uint32_t pool = g.keep_alive_pool;
      settings.keep = share_of(pool);
      settings.max_connections = share_of(s.max_connections);
      settings.group_max_connections = share_of(g.max_connections);
      for (const auto& a : g.source_addresses) settings.source_addresses.push_back(*IpAddress::parse(*a));
      r->queues |= *s.max_requests != 0 || *s.max_connections != 0;
      settings.h2 = uses_h2(g.protocol);
      if (settings.h2) settings.settings_key = "h2 ";
      if (uses_tls(g.protocol)) {
        auto& client = clients[s.host];
        if (!client) client = TlsClient::create(g.tls, s.host, settings.h2, path, out);
        settings.tls = client;
        settings.settings_key += "tls " + *g.tls.ca + " " + *g.tls.server_name + (g.tls.verify ? " v" : "");
      }
      for (auto& addresses : addresses_of(s, names)) {
        ServerEntry e;
        e.weight = s.weight;
        e.zone = s.zone;
        e.backup = s.backup;
        e.max_requests = s.max_requests;
        e.settings = settings;
        e.settings.addresses = std::move(addresses);
        std::string text = e.settings.addresses[0].to_string();
        if (!seen.insert(text).second) continue;
        e.slot = servers_.slot(g.name, text);
        if (g.sticky) {
          std::uint64_t number = sticky_number(g, text);
          e.sticky_value = hexadecimal(number);
          r->sticky.servers[number] = static_cast<int>(r->servers.size());
        }
        r->servers.push_back(std::move(e));
      }
    }
    r->hash_table = make_hash_table(*r, overrides_);
    all.push_back(std::move(r));
  }
  return all;
}

std::vector<ProbeTarget> Builder::probes(const config::Config& config,
                                         const std::vector<std::shared_ptr<const GroupRuntime>>& groups,
                                         config::Diagnostics& out) {
  std::vector<ProbeTarget> all;
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    const config::ServerGroup& g = config.server_groups[i];
    if (!g.health_check) continue;
    for (const ServerEntry& e : groups[i]->servers) {
      ProbeTarget t;
      t.slot = e.slot;
      t.addresses = e.settings.addresses;
      t.host = e.slot->address;
      for (const config::Server& s : g.servers) {
        if (!s.is_unix && !IpAddress::parse(s.host)) t.host = *s.address;
      }
      t.check = *g.health_check;
      t.tls = e.settings.tls;
      t.h2 = e.settings.h2 || *t.check.protocol == config::HealthCheck::Protocol::kGrpc;
      if (t.check.protocol.value == config::HealthCheck::Protocol::kHttps && !t.tls) {
        t.tls = TlsClient::create(g.tls, g.servers.empty() ? "" : g.servers[0].host, uses_h2(g.protocol),
                                  "server_groups[" + std::to_string(i) + "]", out);
      }
      all.push_back(std::move(t));
    }
  }
  return all;
}

void check(const config::Config& config, config::Diagnostics& out) {
  ServerTable servers;
  Builder b(servers, std::make_shared<TicketKeys>(), 1, {});
  b.listeners(config, {}, out);
  auto groups = b.groups(config, {}, out);
  b.probes(config, groups, out);
}

std::unique_ptr<WorkerSnapshot> make_worker_snapshot(std::shared_ptr<const Snapshot> shared, StatsRegistry& stats,
                                                     int worker) {
  auto w = std::make_unique<WorkerSnapshot>();
  for (const auto& l : shared->listeners) {
    ListenerState s;
    s.listener = l.get();
    s.stats = &stats.listener(l->name, worker);
    s.matcher = l->rules->make_matcher();
    for (const Route& r : l->routes.all) s.rules.push_back(&stats.rule(r.address, worker));
    w->listeners.push_back(std::move(s));
  }
  for (const auto& g : shared->groups) {
    GroupState s;
    s.group = g.get();
    s.stats = &stats.group(g->name, worker);
    for (const ServerEntry& e : g->servers)
      s.server_stats.push_back(&stats.server(g->name + "/" + e.slot->address, worker));
    w->groups.push_back(std::move(s));
  }
  w->shared = std::move(shared);
  return w;
}

}  // namespace albatross
