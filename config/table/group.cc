// Server groups: servers, health checks and the connections to them.
#include "config/table/failure.h"
#include "config/table/table.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

using namespace std::chrono_literals;
using Protocol = ServerGroup::Protocol;
using Scheduler = ServerGroup::Scheduler;

// Reads into the whole Server: the address has four members.
Type<Server> server_address() {
  return {{"address", "`host:port`, `[v6]:port` or `unix:/path`", text_schema()},
          [](Decoder& d, const Node& node, Server& out) {
            auto text = d.text(node);
            if (!text) return false;
            Address address;
            if (!take_address(d, node, *text, address)) return false;
            out.is_unix = address.kind == Bind::Kind::kUnix;
            if (!out.is_unix && (address.host.empty() || address.port == 0)) {
              d.error(node.at, address.host.empty() ? "the host is missing" : "a server's port is 1 to 65535",
                      address.host.empty() ? "write it like 127.0.0.1" + text->substr(0, 8) : "");
              return false;
            }
            out.host = address.host;
            out.port = address.port;
            out.address = Value<std::string>(std::move(*text), node.at);
            return true;
          }};
}

Type<std::string> local_address() {
  return checked(text(), [](const std::string& text) -> std::pair<std::string, std::string> {
    if (is_ip(text)) return {};
    return {"not an address", "write it like 10.0.0.5 or fd00::5"};
  });
}

Server& self_server(Server& server) { return server; }
ServerGroup& self(ServerGroup& group) { return group; }

const Object<Server>& server_table() {
  static const Object<Server> table = [] {
    Object<Server> t("server", "One address to forward to; a name stands for each address it resolves to.");
    t.field("address", self_server, server_address(), "Where it listens.").required();
    t.field("weight", &Server::weight, number(0, 10000), "Its share of the traffic; 0 for no new traffic.");
    t.field("zone", &Server::zone, name(), "The zone it stands in.").otherwise("none");
    t.field("backup", &Server::backup, boolean(), "Whether it gets traffic only when no other server is usable.");
    t.field("max_requests", &Server::max_requests, number(1, 1'000'000), "Requests in flight that it gets at most.")
        .otherwise("any number");
    t.field("max_connections", &Server::max_connections, number(1, 1'000'000),
            "Connections that it gets at most, divided by the workers, at least one each.")
        .otherwise("any number");
    return t;
  }();
  return table;
}

const Object<Hash>& hash_table() {
  static const Object<Hash> table = [] {
    using On = Hash::On;
    using Algorithm = Hash::Algorithm;
    Object<Hash> t("hash", "Requests that agree in this go to one server.");
    t.field("on", &Hash::on,
            choice<On>({{"source_ip", On::kSourceIp},
                        {"header", On::kHeader},
                        {"cookie", On::kCookie},
                        {"query", On::kQuery},
                        {"path", On::kPath}}),
            "What is hashed; a request that has none goes anywhere.");
    t.field("name", &Hash::name, text(), "Of the header, cookie or query parameter.").otherwise("none");
    t.field("algorithm", &Hash::algorithm,
            choice<Algorithm>({{"maglev", Algorithm::kMaglev}, {"ketama", Algorithm::kKetama}}),
            "maglev spreads evenly, ketama moves the fewest keys.");
    t.field("max_load", &Hash::max_load, number(101, 1000),
            "Percent of its share of the requests in flight that a server takes; what is above goes to the next.")
        .otherwise("no bound");
    return t;
  }();
  return table;
}

const Object<SlowStart>& slow_start_table() {
  static const Object<SlowStart> table = [] {
    using Curve = SlowStart::Curve;
    Object<SlowStart> t("slow_start", "How a server comes to its share.");
    t.field("window", &SlowStart::window, duration(1s, 900s), "How long it takes.");
    t.field("curve", &SlowStart::curve,
            choice<Curve>({{"linear", Curve::kLinear}, {"square", Curve::kSquare}, {"root", Curve::kRoot}}),
            "Its share after a part t of the window: t, t², √t.");
    return t;
  }();
  return table;
}

const Object<Sticky>& sticky_table() {
  static const Object<Sticky> table = [] {
    Object<Sticky> t("sticky", "A cookie keeps a client on its server, until that drains, dies or gets weight 0.");
    t.field("max_age", &Sticky::max_age, duration(1s, 86400s), "How long the cookie lives.");
    t.field("cookie", &Sticky::cookie, token("cookie name"), "Its name.").otherwise("albatross-server-GROUP");
    t.field("app_cookie", &Sticky::app_cookie, token("cookie name"),
            "Give it only when the server sets this cookie, until the browser closes.")
        .otherwise("given with every first answer");
    t.field("key", &Sticky::key, text(), "What the cookie is signed with, alike on all proxies that share clients.")
        .otherwise("the group's name");
    return t;
  }();
  return table;
}

const Object<PassiveCheck>& passive_check_table() {
  static const Object<PassiveCheck> table = [] {
    Object<PassiveCheck> t("passive_check",
                           "A server that fails requests gets none for a while; `{}` takes every default.");
    t.field("failures", &PassiveCheck::failures, number(1, 1000),
            "In a row: no connection, a reset, a timeout, 502, 503, 504, or a call that ends with UNAVAILABLE.");
    t.field("ejection", &PassiveCheck::ejection, duration(1s, 3600s),
            "For how long, times how often of late, ten at most.");
    t.field("max_ejected", &PassiveCheck::max_ejected, number(1, 100),
            "Percent of the group's servers at once; one always may be.");
    t.field("failure_percent", &PassiveCheck::failure_percent, number(1, 100),
            "A server that fails as many of its requests in an `interval` is ejected, too.")
        .otherwise("not looked at");
    t.field("latency_factor", &PassiveCheck::latency_factor, number(2, 100),
            "A server whose answers take as many times the median of the group's servers is ejected, too; from three "
            "servers on.")
        .otherwise("not looked at");
    t.field("min_requests", &PassiveCheck::min_requests, number(1, 100'000),
            "Servers with fewer in an `interval` are not judged by these two.");
    t.field("interval", &PassiveCheck::interval, duration(1s, 300s), "How often they are judged.");
    return t;
  }();
  return table;
}

const Object<HealthCheck>& health_check_table() {
  static const Object<HealthCheck> table = [] {
    using Probe = HealthCheck::Protocol;
    Object<HealthCheck> t("health_check", "Active probes of each server; `{}` takes every default.");
    t.field("protocol", &HealthCheck::protocol,
            choice<Probe>(
                {{"http", Probe::kHttp}, {"https", Probe::kHttps}, {"tcp", Probe::kTcp}, {"grpc", Probe::kGrpc}}),
            "What a probe speaks; grpc is grpc.health.v1, with TLS where the group has it.")
        .otherwise("http, https or grpc, as the group");
    t.field("service", &HealthCheck::service, text(), "What a grpc probe asks for.").otherwise("the server as a whole");
    t.field("path", &HealthCheck::path, url_path(), "What is asked for.");
    t.field("method", &HealthCheck::method, known_name("probe method", {"HEAD", "GET"}), "How it is asked for.");
    t.field("host", &HealthCheck::host, text(), "The Host field.").otherwise("the server's address");
    t.field("port", &HealthCheck::port, small_number(1, 65535), "The port.").otherwise("the server's");
    t.field("interval", &HealthCheck::interval, duration(100ms, 300s), "From one probe to the next, ±10 %.");
    t.field("doubt_interval", &HealthCheck::doubt_interval, duration(100ms, 300s),
            "From one probe to the next while a change of state is in doubt.")
        .otherwise("the interval");
    t.field("timeout", &HealthCheck::timeout, duration(100ms, 300s), "A probe without an answer has failed.");
    t.field("healthy_threshold", &HealthCheck::healthy_threshold, number(1, 10), "Good probes in a row until healthy.");
    t.field("unhealthy_threshold", &HealthCheck::unhealthy_threshold, number(1, 10), "Failed ones until unhealthy.");
    t.field("initial_state", &HealthCheck::starts_healthy, choice<bool>({{"healthy", true}, {"unhealthy", false}}),
            "What a new server is taken for until its first probe is answered; that one alone decides then.");
    t.field("codes", &HealthCheck::codes, list_of<Codes>(status_codes(), 1, true), "Which answers are good.");
    return t;
  }();
  return table;
}

const Object<ServerGroup>& group_timeouts() {
  static const Object<ServerGroup> table = [] {
    Object<ServerGroup> t("group_timeouts", "The timers towards a group's servers.");
    t.field("connect", &ServerGroup::connect_timeout, duration(1ms, 24h),
            "TCP and TLS; then the next server once, then 504.");
    t.field("response", &ServerGroup::response_timeout, duration(1s, 3600s), "As the listener's, for this group alone.")
        .otherwise("the rule's or the listener's");
    return t;
  }();
  return table;
}

const Object<ServerGroup>& keep_alive_table() {
  static const Object<ServerGroup> table = [] {
    Object<ServerGroup> t("keep_alive", "Connections to servers that wait for their next request.");
    t.field("idle", &ServerGroup::keep_alive_idle, duration(1ms, 24h),
            "How long one waits; less if the server's `Keep-Alive: timeout` says so.");
    t.field("pool", &ServerGroup::keep_alive_pool, number(0, 10000), "How many wait, per server and process.");
    return t;
  }();
  return table;
}

const Object<UpstreamTls>& upstream_tls() {
  static const Object<UpstreamTls> table = [] {
    Object<UpstreamTls> t("upstream_tls", "How a server's certificate is checked.");
    t.field("ca", &UpstreamTls::ca, file_path(), "The authorities believed, PEM.").otherwise("the system's");
    t.field("server_name", &UpstreamTls::server_name, text(), "The name asked for and checked.")
        .otherwise("the server's host");
    t.field("verify", &UpstreamTls::verify, boolean(), "Whether it is checked at all.");
    return t;
  }();
  return table;
}

void add_server_fields(Object<ServerGroup>& t) {
  t.field("name", &ServerGroup::name, name(), "Unique among the groups.").required();
  t.field("protocol", &ServerGroup::protocol,
          choice<Protocol>({{"http", Protocol::kHttp},
                            {"https", Protocol::kHttps},
                            {"h2c", Protocol::kH2c},
                            {"h2", Protocol::kH2},
                            {"grpc", Protocol::kGrpc},
                            {"grpcs", Protocol::kGrpcs}}),
          "What the servers speak.");
  t.field(
      "scheduler", &ServerGroup::scheduler,
      choice<Scheduler>({{"wrr", Scheduler::kWrr},
                         {"wlc", Scheduler::kWlc},
                         {"p2c", Scheduler::kP2c},
                         {"hash", Scheduler::kHash},
                         {"sch", Scheduler::kSch},
                         {"uch", Scheduler::kUch}}),
      "How a server is picked: wrr by turns, wlc by requests in flight, p2c the faster of two, hash by what a request "
      "has; sch hashes the client's address, uch a query parameter.");
  t.field("hash", &ServerGroup::hash, object("hash", hash_table, "{on: cookie, name: user}"),
          "What the hash schedulers hash.");
  t.field("slow_start", &ServerGroup::slow_start, object("slow_start", slow_start_table, "{window: 30s}"),
          "A server that is new or was unhealthy gets its share by and by, with every scheduler.")
      .otherwise("none");
  t.field("sticky", &ServerGroup::sticky, object("sticky", sticky_table, "{max_age: 1000s}"),
          "Keeps clients on their server.")
      .otherwise("not kept");
  t.field("passive_check", &ServerGroup::passive_check, object("passive_check", passive_check_table, "{failures: 5}"),
          "Ejects servers that fail requests.")
      .otherwise("none");
  t.field("circuit_breaker", &ServerGroup::circuit_breaker,
          object("circuit_breaker", circuit_breaker_table, "{failure_percent: 50}"),
          "Answers 503 at once while the group fails.")
      .otherwise("none");
  t.field("zone_affinity", &ServerGroup::zone_affinity, boolean(),
          "Whether servers of this process's `zone` come first, as long as enough of them are healthy.");
  t.field("servers", &ServerGroup::servers,
          list_of<Server>(object("server", server_table, "{address: \"10.0.0.1:80\"}")), "The servers.")
      .required();
  t.field("health_check", &ServerGroup::health_check, object("health_check", health_check_table, "{path: /healthz}"),
          "Active probes.")
      .otherwise("no probes");
  t.field("fail_open", &ServerGroup::fail_open, boolean(),
          "Whether all servers are used when none is healthy; else 503.");
}

void add_upstream_fields(Object<ServerGroup>& t) {
  t.field("connection_drain", &ServerGroup::connection_drain, duration(0s, 900s),
          "How long requests in flight may go on when a server goes away.");
  t.field("drain_unhealthy", &ServerGroup::drain_unhealthy, boolean(),
          "Whether a server that becomes unhealthy drains: what runs there ends within connection_drain.");
  t.field("timeouts", self, object("group_timeouts", group_timeouts, "{connect: 5s}"), "Timers.");
  t.field("keep_alive", self, object("keep_alive", keep_alive_table, "{pool: 32}"), "Idle connections to servers.");
  add_failure_fields(t);
  t.field("source_addresses", &ServerGroup::source_addresses, list_of<Value<std::string>>(local_address(), 1, true),
          "Addresses of this machine that connections to servers come from, by turns; each has its own ports.")
      .otherwise("the kernel's choice");
  t.field("tls", &ServerGroup::tls, object("upstream_tls", upstream_tls, "{ca: ca.pem}"), "TLS towards the servers.");
}

}  // namespace

const Object<ServerGroup>& group_table() {
  static const Object<ServerGroup> table = [] {
    Object<ServerGroup> t("server_group", "Servers that can stand in for one another.");
    add_server_fields(t);
    add_upstream_fields(t);
    return t;
  }();
  return table;
}

void add_group_tables(Tables& tables) {
  for (const ObjectInfo* info :
       {&group_table().info(), &server_table().info(), &hash_table().info(), &slow_start_table().info(),
        &sticky_table().info(), &passive_check_table().info(), &circuit_breaker_table().info(),
        &health_check_table().info(), &retries_table().info(), &queue_table().info(), &group_timeouts().info(),
        &keep_alive_table().info(), &upstream_tls().info()}) {
    tables.push_back(info);
  }
}

}  // namespace albatross::config
