#include "process/builder.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "config/scalar.h"
#include "process/sockets.h"
#include "routing/balancing/balancer_settings.h"
#include "routing/rules/listener_policy.h"
#include "tls/tls_client.h"
#include "tls/tls_server.h"

namespace albatross {
namespace {

using config::nanos;

void take(Nanos& into, const std::optional<config::Value<config::Duration>>& from) {
  if (from) into = nanos(from->value);
}

bool uses_tls(config::ServerGroup::Protocol p) {
  return p == config::ServerGroup::Protocol::kHttps || p == config::ServerGroup::Protocol::kH2 ||
         p == config::ServerGroup::Protocol::kGrpcs;
}

bool uses_h2(config::ServerGroup::Protocol p) {
  return p != config::ServerGroup::Protocol::kHttp && p != config::ServerGroup::Protocol::kHttps;
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
          *g.sticky->samesite,
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

// The number in a sticky cookie. It identifies the server only to us: a client can neither read an address from it nor
// make the number of another server.
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

// The addresses of each server that this entry stands for. A name stands for one server per address.
std::vector<std::vector<SocketAddress>> addresses_of(const config::Server& s, const Names& names) {
  if (s.is_unix) return {{SocketAddress::unix_path(s.host)}};
  if (auto address = SocketAddress::parse(s.host, s.port)) return {{*address}};
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

template <class Part>
std::shared_ptr<const Part> find_named(const std::vector<std::shared_ptr<const Part>>& parts, const std::string& name) {
  for (const auto& p : parts) {
    if (p->name == name) return p;
  }
  return nullptr;
}

// A digest of a file's content. The configuration's text has only the path of the file.
std::string content_digest(const std::string& file) {
  if (file.empty()) return "";
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return " " + hexadecimal(siphash({0x66, 0x696c65}, text));
}

// A digest of a group's text, its addresses and its files.
std::uint64_t digest_of(const config::ServerGroup& g, const Names& names) {
  std::string text = std::to_string(g.digest) + content_digest(g.tls.ca);
  for (const config::Server& s : g.servers) {
    auto it = names.find(s.host);
    if (it == names.end()) continue;
    text += "\n" + s.host;
    for (const IpAddress& ip : it->second) text += " " + ip.to_string();
  }
  return siphash({0x6772, 0x6f7570}, text);
}

std::string content_type_of(const std::string& file) {
  if (file.ends_with(".html") || file.ends_with(".htm")) return "text/html; charset=utf-8";
  return file.ends_with(".json") ? "application/json" : "text/plain; charset=utf-8";
}

std::vector<ErrorPage> error_pages(const config::Listener& l, const std::string& path, config::Diagnostics& out) {
  constexpr std::size_t kLargest = 64 << 10;
  std::vector<ErrorPage> pages;
  for (const config::ErrorPage& p : l.error_pages) {
    const std::string at = path + "." + std::to_string(p.code);
    std::string text(kLargest + 1, '\0');
    std::ifstream in(*p.file, std::ios::binary);
    if (!in || !in.read(text.data(), static_cast<std::streamsize>(text.size())).eof()) {
      out.error(p.file.at, at, *p.file + (in ? " is larger than 64KiB" : " cannot be read"),
                in ? "serve images and scripts from a server group" : "");
      continue;
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    pages.push_back({p.code, content_type_of(*p.file), std::move(text)});
  }
  return pages;
}

std::shared_ptr<ListenerRuntime> listener_runtime(const config::Listener& l, std::uint16_t port) {
  auto r = std::make_shared<ListenerRuntime>();
  r->name = l.name;
  r->bind = Sockets::key(l);
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
  r->forwarded = forwarded_policy(l);
  r->proxy_from = networks_of(l.proxy_protocol_from);
  r->slashes = encoded_slash_policy(l);
  r->strict_sni = l.strict_sni;
  r->explain_from = networks_of(l.explain_from);
  r->underscores = underscores_policy(l);
  r->session.half_close = l.half_close;
  r->session.wire = l.http2.value_or(r->secure) ? Wire::kEither : Wire::kHttp1;
  return r;
}

}  // namespace

// Each worker's share of a limit of the process, at least 1; 0 stays 0.
std::uint32_t Builder::share_of(std::uint32_t whole) const {
  return whole == 0 ? 0 : std::max(1u, whole / static_cast<std::uint32_t>(context_.workers));
}

std::vector<std::string> Builder::names(const config::ServerGroup& group) {
  std::set<std::string> out;
  for (const config::Server& s : group.servers) {
    if (!s.is_unix && s.host != "localhost" && !config::is_ip(s.host)) out.insert(s.host);
  }
  return {out.begin(), out.end()};
}

std::vector<std::string> Builder::names(const config::Config& config) {
  std::set<std::string> out;
  for (const auto& g : config.server_groups) {
    for (std::string& name : names(g)) out.insert(std::move(name));
  }
  return {out.begin(), out.end()};
}

const ListenerRuntime* Builder::served(const std::string& listener) const {
  if (!now_) return nullptr;
  for (const auto& l : now_->listeners) {
    if (l->name == listener) return l.get();
  }
  return nullptr;
}

// Compiles the rules again only if the listener's text has changed.
std::shared_ptr<const RuleSet> Builder::rules(const config::Listener& l, const std::string& path,
                                              config::Diagnostics& out) {
  const ListenerRuntime* now = served(l.name);
  if (now != nullptr && l.digest != 0 && now->rules->digest == l.digest) return now->rules;
  auto set = std::make_shared<RuleSet>();
  set->digest = l.digest;
  set->table = RuleTable::compile(l, path, out);
  set->routes = compile_routes(l, path, context_.servers, out);
  for (const Route& r : set->routes.all) {
    set->stats.push_back(context_.stats.rule(r.address));
    if (!r.watched) continue;
    for (const ForwardTarget& t : r.targets) {
      set->arms[&r].push_back(context_.stats.arm(r.address + " " + t.slot->name));
    }
  }
  return set;
}

std::vector<std::shared_ptr<const ListenerRuntime>> Builder::listeners(
    const config::Config& config, const std::map<std::string, std::uint16_t>& ports, config::Diagnostics& out) {
  std::vector<std::shared_ptr<const ListenerRuntime>> all;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    const std::string path = "listeners[" + std::to_string(i) + "]";
    auto port = ports.find(l.name);
    auto r = listener_runtime(l, port != ports.end() ? port->second : l.bind.port);
    const ListenerRuntime* now = served(l.name);
    if (r->secure) {
      r->tls = TlsServer::create(l, path, context_.tickets, out);
      if (now != nullptr && now->tls && r->tls && now->tls->contents() == r->tls->contents()) r->tls = now->tls;
    }
    r->error_pages = error_pages(l, path + ".error_pages", out);
    r->rules = rules(l, path, out);
    r->stats = context_.stats.listener(l.name);
    const bool same = now != nullptr && now->rules == r->rules && now->tls == r->tls &&
                      now->port_text == r->port_text && now->error_pages == r->error_pages;
    all.push_back(same ? find_named(now_->listeners, *l.name) : r);
  }
  return all;
}

// ---- groups ----

std::vector<std::shared_ptr<const GroupRuntime>> Builder::groups(const config::Config& config, const Names& names,
                                                                 config::Diagnostics& out) {
  std::vector<std::shared_ptr<const GroupRuntime>> all;
  for (std::size_t i = 0; i < config.server_groups.size(); ++i) {
    all.push_back(group(config.server_groups[i], config.zone, names, "server_groups[" + std::to_string(i) + "]", out));
  }
  return all;
}

std::shared_ptr<const GroupRuntime> Builder::group(const config::ServerGroup& g, const std::string& zone,
                                                   const Names& names, const std::string& path,
                                                   config::Diagnostics& out) {
  const std::shared_ptr<const GroupRuntime> old = now_ ? find_named(now_->groups, *g.name) : nullptr;
  const std::uint64_t digest = digest_of(g, names);
  if (old && g.digest != 0 && old->digest == digest) return old;
  auto r = std::make_shared<GroupRuntime>();
  r->name = g.name;
  r->digest = digest;
  r->balancing = balancer_settings(g);
  r->hash = hash_source(g);
  r->sticky = sticky(g);
  if (const auto& p = g.passive_check) {
    r->passive = {p->failures,       nanos(p->ejection), p->max_ejected,    p->failure_percent,
                  p->latency_factor, p->min_requests,    nanos(p->interval)};
    r->failure_codes = p->codes;
  }
  if (const auto& c = g.circuit_breaker) {
    r->circuit = {c->failure_percent, c->min_requests, nanos(c->window), nanos(c->open)};
  }
  r->queue = {g.queue.size, nanos(g.queue.timeout)};
  r->queues = *g.max_requests != 0 || *g.max_connections != 0;
  r->slot = context_.servers.group(g.name);
  r->stats = context_.stats.group(g.name);
  r->drain_unhealthy = g.drain_unhealthy;
  if (g.zone_affinity) r->zone = zone;
  r->fail_open = g.fail_open;
  r->retries = retry_policy(g.retries);
  r->drain = nanos(g.connection_drain);
  if (g.response_timeout) r->response_timeout = nanos(g.response_timeout->value);
  add_servers(g, names, path, old.get(), *r, out);
  r->hash_table = make_hash_table(*r, overrides_);
  return r;
}

namespace {

// Turns "[fe80::1%eth0]:80" into "[fe80::1]:80", since a zone has a meaning only on this machine.
std::string without_zone(const std::string& address) {
  const std::size_t percent = address.find('%');
  return percent == std::string::npos ? address : address.substr(0, percent) + address.substr(address.find(']'));
}

// The settings that all servers of the group have in common.
ServerSettings group_settings(const config::ServerGroup& g) {
  ServerSettings s;
  s.connect_timeout = nanos(g.connect_timeout);
  s.idle = nanos(g.keep_alive_idle);
  for (const auto& a : g.source_addresses) s.source_addresses.push_back(*IpAddress::parse(*a));
  s.h2 = uses_h2(g.protocol);
  s.repeated_chunked = g.accept_repeated_chunked;
  if (s.h2) s.key = "h2 ";
  if (uses_tls(g.protocol)) {
    s.key += "tls " + *g.tls.ca + content_digest(g.tls.ca) + " " + *g.tls.server_name + (g.tls.verify ? " v" : "");
  }
  return s;
}

bool same_connections(const ServerSettings& a, const ServerSettings& b) {
  return a.addresses == b.addresses && a.key == b.key && a.connect_timeout == b.connect_timeout && a.idle == b.idle &&
         a.keep == b.keep && a.repeated_chunked == b.repeated_chunked && a.max_connections == b.max_connections &&
         a.group_max_connections == b.group_max_connections && a.source_addresses == b.source_addresses;
}

}  // namespace

// Settings that are the same as before stay the same object, so workers keep their connections to those servers.
void Builder::add_servers(const config::ServerGroup& g, const Names& names, const std::string& path,
                          const GroupRuntime* old, GroupRuntime& into, config::Diagnostics& out) {
  std::unordered_map<const ServerSlot*, const ServerEntry*> before;
  if (old != nullptr) {
    for (const ServerEntry& e : old->servers) before[e.slot.get()] = &e;
  }
  const ServerSettings common = group_settings(g);
  std::map<std::string, std::shared_ptr<TlsClient>> clients;  // by name, because TLS sessions belong to a name
  std::unordered_set<std::string> seen;
  for (const config::Server& s : g.servers) {
    ServerSettings settings = common;
    settings.keep = g.keep_alive_pool ? share_of(**g.keep_alive_pool) : ServerSettings::kKeepPeak;
    settings.max_connections = share_of(s.max_connections);
    settings.group_max_connections = share_of(g.max_connections);
    if (uses_tls(g.protocol) && g.tls.server_name->empty()) settings.key += " " + s.host;  // what it is verified for
    into.queues |= *s.max_requests != 0 || *s.max_connections != 0;
    for (auto& addresses : addresses_of(s, names)) {
      ServerEntry e;
      e.weight = s.weight;
      e.zone = s.zone;
      e.backup = s.backup;
      e.max_requests = s.max_requests;
      e.host = s.is_unix ? "localhost" : without_zone(*s.address);
      settings.addresses = std::move(addresses);
      const std::string text = settings.addresses[0].to_string();
      if (!seen.insert(text).second) continue;
      e.slot = context_.servers.slot(g.name, text);
      auto known = before.find(e.slot.get());
      if (known != before.end() && same_connections(*known->second->settings, settings)) {
        e.settings = known->second->settings;
        e.stats = known->second->stats;
      } else {
        if (uses_tls(g.protocol)) {
          auto& client = clients[s.host];
          if (!client) client = TlsClient::create(g.tls, s.host.substr(0, s.host.find('%')), settings.h2, path, out);
          settings.tls = client;
        }
        e.settings = std::make_shared<const ServerSettings>(settings);
        e.stats = context_.stats.server(g.name.value + "/" + text);
      }
      if (g.sticky) {
        const std::uint64_t number = sticky_number(g, text);
        e.sticky_value = hexadecimal(number);
        into.sticky.servers[number] = static_cast<int>(into.servers.size());
      }
      into.servers.push_back(std::move(e));
    }
  }
}

std::vector<ProbeTarget> Builder::probes(const config::ServerGroup& g, const GroupRuntime& group,
                                         const std::string& path, config::Diagnostics& out) {
  std::vector<ProbeTarget> all;
  if (!g.health_check) return all;
  using P = config::HealthCheck::Protocol;
  for (const ServerEntry& e : group.servers) {
    ProbeTarget t;
    t.slot = e.slot;
    t.addresses = e.settings->addresses;
    t.host = e.host;
    t.check = *g.health_check;
    t.tls = e.settings->tls;
    t.h2 = e.settings->h2 || *t.check.protocol == P::kGrpc;
    // A client that offers the protocol of the check: the one for requests may offer only HTTP/1.1.
    const bool other_alpn = t.tls && t.h2 != e.settings->h2;
    if (other_alpn) t.tls = TlsClient::create(g.tls, e.host.substr(0, e.host.rfind(':')), t.h2, path, out);
    if (t.check.protocol.value == P::kHttps && !t.tls) {
      t.tls = TlsClient::create(g.tls, g.servers.empty() ? "" : g.servers[0].host, uses_h2(g.protocol), path, out);
    }
    all.push_back(std::move(t));
  }
  return all;
}

std::vector<Listeners::Matchers> Builder::matchers(const Snapshot& next) const {
  std::vector<Listeners::Matchers> all(static_cast<std::size_t>(context_.workers));
  for (const auto& l : next.listeners) {
    const ListenerRuntime* now = served(l->name);
    if (now != nullptr && now->rules == l->rules) continue;
    for (auto& of_worker : all) of_worker[l->rules.get()] = l->rules->table->make_matcher();
  }
  return all;
}

void check(const config::Config& config, config::Diagnostics& out) {
  ServerTable servers;
  StatsRegistry stats(1);
  Builder b({servers, stats, std::make_shared<TicketKeys>(), 1}, nullptr, {});
  b.listeners(config, {}, out);
  auto groups = b.groups(config, {}, out);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    (void)Builder::probes(config.server_groups[i], *groups[i], "server_groups[" + std::to_string(i) + "]", out);
  }
}

}  // namespace albatross
