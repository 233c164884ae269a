// Server groups: servers, health checks and the connections to them.
#include "config/table/failure.h"
#include "config/table/table.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

using namespace std::chrono_literals;
using Protocol = ServerGroup::Protocol;
using Scheduler = ServerGroup::Scheduler;

// Decodes into the whole Server, because an address fills four of its members.
Type<Server> server_address() {
  return {{"address", "`host:port`, `[v6]:port` or `unix:/path`", text_schema()},
          [](Decoder& d, const Node& node, Server& out) {
            auto text = d.text(node);
            if (!text) return false;
            Address address;
            if (!take_address(d, node, *text, address)) return false;
            out.is_unix = address.kind == Bind::Kind::kUnix;
            if (!out.is_unix && (address.host.empty() || address.port == 0)) {
              d.error(node.at, address.host.empty() ? "the host is missing" : "a server's port must be from 1 to 65535",
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
    if (is_ip(text) && text.find('%') == std::string::npos) return {};
    return {"not an address", "write it like 10.0.0.5 or fd00::5"};
  });
}

Server& self_server(Server& server) { return server; }
ServerGroup& self(ServerGroup& group) { return group; }

const Object<Server>& server_table() {
  static const Object<Server> table = [] {
    Object<Server> t("server", "An address to forward to. A name stands for all addresses that it resolves to.");
    t.field("address", self_server, server_address(), "The address of the server.").required();
    t.field("weight", &Server::weight, number(0, 10000),
            "The share of requests of this server, relative to the weights of the other servers. With 0 it gets no new "
            "requests.");
    t.field("zone", &Server::zone, name(), "The zone that the server runs in.").otherwise("none");
    t.field("capacity", &Server::capacity, number(1, 1'000'000'000),
            "The requests per second that the server can take, for lints.")
        .otherwise("not known");
    t.field("backup", &Server::backup, boolean(),
            "Whether the server gets requests only when no other server is usable.");
    t.field("max_requests", &Server::max_requests, number(1, 1'000'000),
            "The largest number of requests in flight on the server.")
        .otherwise("no limit");
    t.field("max_connections", &Server::max_connections, number(1, 1'000'000),
            "The largest number of connections to the server, divided among the workers, at least one each.")
        .otherwise("no limit");
    return t;
  }();
  return table;
}

const Object<Hash>& hash_table() {
  static const Object<Hash> table = [] {
    using On = Hash::On;
    using Algorithm = Hash::Algorithm;
    Object<Hash> t("hash", "What the hash schedulers hash. Requests with the same value go to the same server.");
    t.field("on", &Hash::on,
            choice<On>({{"source_ip", On::kSourceIp},
                        {"header", On::kHeader},
                        {"cookie", On::kCookie},
                        {"query", On::kQuery},
                        {"path", On::kPath}}),
            "The part of the request that is hashed. A request without it goes to any server.");
    t.field("name", &Hash::name, text(), "The name of the header, cookie or query parameter.").otherwise("none");
    t.field("algorithm", &Hash::algorithm,
            choice<Algorithm>({{"maglev", Algorithm::kMaglev}, {"ketama", Algorithm::kKetama}}),
            "The algorithm of the hash table. maglev: the shares are most even. ketama: the fewest values move when "
            "servers change.");
    t.field("max_load", &Hash::max_load, number(101, 1000),
            "The largest number of requests in flight on a server, in percent of its share of the group's requests in "
            "flight. Further requests go to the next server.")
        .otherwise("no bound");
    return t;
  }();
  return table;
}

const Object<SlowStart>& slow_start_table() {
  static const Object<SlowStart> table = [] {
    using Curve = SlowStart::Curve;
    Object<SlowStart> t("slow_start", "How the share of requests of a new or recovered server grows.");
    t.field("window", &SlowStart::window, duration(1s, 900s), "The time until the server has its whole share.");
    t.field("curve", &SlowStart::curve,
            choice<Curve>({{"linear", Curve::kLinear}, {"square", Curve::kSquare}, {"root", Curve::kRoot}}),
            "The part of its share that a server has after a part t of the window: t (linear), t² (square) or √t "
            "(root).");
    return t;
  }();
  return table;
}

const Object<Sticky>& sticky_table() {
  static const Object<Sticky> table = [] {
    Object<Sticky> t("sticky",
                     "A cookie that keeps a client on its server until the server drains, fails or gets weight 0.");
    t.field("max_age", &Sticky::max_age, duration(1s, 86400s), "How long the cookie is valid.");
    t.field("cookie", &Sticky::cookie, token("cookie name"), "The name of the cookie.")
        .otherwise("albatross-server-GROUP");
    t.field("app_cookie", &Sticky::app_cookie, token("cookie name"),
            "The name of a cookie of the application. The sticky cookie is then set only together with it, and is "
            "valid until the browser closes.")
        .otherwise("the sticky cookie is set with a client's first response");
    t.field(
         "key", &Sticky::key, text(),
         "The secret from which the cookie's value is computed. It must be the same on all proxies that share clients.")
        .otherwise("the group's name");
    t.field("samesite", &Sticky::samesite, same_site(), kSameSiteMeaning);
    return t;
  }();
  return table;
}

const Object<PassiveCheck>& passive_check_table() {
  static const Object<PassiveCheck> table = [] {
    Object<PassiveCheck> t(
        "passive_check",
        "Ejects a server that fails requests, so that it gets no requests for some time. `{}` takes every default.");
    t.field("failures", &PassiveCheck::failures, number(1, 1000),
            "The number of failures in a row that eject a server. Failures are: no connection, a reset, a timeout, a "
            "status among `codes`, or a gRPC call that ends with UNAVAILABLE.");
    t.field("codes", &PassiveCheck::codes, list_of<Codes>(status_codes(), 1, true),
            "The status codes that count as failures.");
    t.field("ejection", &PassiveCheck::ejection, duration(1s, 3600s),
            "Base ejection time, multiplied by the number of recent ejections, at most 10.");
    t.field("max_ejected", &PassiveCheck::max_ejected, number(1, 100),
            "The largest part of the group's servers that is ejected at the same time, in percent. One server can "
            "always be ejected.");
    t.field("failure_percent", &PassiveCheck::failure_percent, number(1, 100),
            "A server is also ejected if at least this percentage of its requests in an `interval` failed.")
        .otherwise("off");
    t.field("latency_factor", &PassiveCheck::latency_factor, number(2, 100),
            "A server is also ejected if the average time of its responses in an `interval` is more than this many "
            "times the median of the group's servers. This needs at least three servers.")
        .otherwise("off");
    t.field("min_requests", &PassiveCheck::min_requests, number(1, 100'000),
            "The number of requests that a server needs in an `interval` before `failure_percent` and `latency_factor` "
            "judge it.");
    t.field("interval", &PassiveCheck::interval, duration(1s, 300s),
            "How often `failure_percent` and `latency_factor` judge the servers.");
    return t;
  }();
  return table;
}

const Object<HealthCheck>& health_check_table() {
  static const Object<HealthCheck> table = [] {
    using Probe = HealthCheck::Protocol;
    Object<HealthCheck> t("health_check", "Active probes of each server. `{}` takes every default.");
    t.field("protocol", &HealthCheck::protocol,
            choice<Probe>(
                {{"http", Probe::kHttp}, {"https", Probe::kHttps}, {"tcp", Probe::kTcp}, {"grpc", Probe::kGrpc}}),
            "The protocol of a probe. grpc is grpc.health.v1, with TLS if the group uses TLS.")
        .otherwise("http, https or grpc, as the group's");
    t.field("service", &HealthCheck::service, text(), "The service that a grpc probe asks about.")
        .otherwise("the server as a whole");
    t.field("path", &HealthCheck::path, url_path(), "The path that is requested.");
    t.field("method", &HealthCheck::method, known_name("probe method", {"HEAD", "GET"}), "The method of the request.");
    t.field("host", &HealthCheck::host, text(), "The Host field of the request.").otherwise("the server's address");
    t.field("port", &HealthCheck::port, small_number(1, 65535), "The port that is probed.").otherwise("the server's");
    t.field("interval", &HealthCheck::interval, duration(100ms, 300s),
            "The time between two probes of a server, ±10 %.");
    t.field("doubt_interval", &HealthCheck::doubt_interval, duration(100ms, 300s),
            "The time between two probes while the results contradict the server's state and the threshold for a "
            "change is not reached.")
        .otherwise("the interval");
    t.field("timeout", &HealthCheck::timeout, duration(100ms, 300s),
            "The longest time of a probe. After that it has failed.");
    t.field("healthy_threshold", &HealthCheck::healthy_threshold, number(1, 10),
            "The number of successful probes in a row that make a server healthy.");
    t.field("unhealthy_threshold", &HealthCheck::unhealthy_threshold, number(1, 10),
            "The number of failed probes in a row that make a server unhealthy.");
    t.field("initial_state", &HealthCheck::starts_healthy, choice<bool>({{"healthy", true}, {"unhealthy", false}}),
            "The state of a new server until its first probe. The first probe alone decides the next state.");
    t.field("codes", &HealthCheck::codes, list_of<Codes>(status_codes(), 1, true),
            "The status codes of a successful probe.");
    return t;
  }();
  return table;
}

const Object<ServerGroup>& group_timeouts() {
  static const Object<ServerGroup> table = [] {
    Object<ServerGroup> t("group_timeouts", "The timers towards a group's servers.");
    t.field("connect", &ServerGroup::connect_timeout, duration(1ms, 24h),
            "The longest time to connect, including TLS. After that the request is tried again if `retries` allows it, "
            "else it gets 504.");
    t.field("response", &ServerGroup::response_timeout, duration(1s, 3600s),
            "The same as `response` of the listener, for this group only.")
        .otherwise("the rule's or the listener's");
    return t;
  }();
  return table;
}

const Object<ServerGroup>& keep_alive_table() {
  static const Object<ServerGroup> table = [] {
    Object<ServerGroup> t("keep_alive", "Idle connections to servers, kept for later requests.");
    t.field(
        "idle", &ServerGroup::keep_alive_idle, duration(1ms, 24h),
        "How long an idle connection is kept. It is kept for less if the server's `Keep-Alive: timeout` is shorter.");
    t.field("pool", &ServerGroup::keep_alive_pool, number(0, 10000),
            "The largest number of idle connections to each server, over all workers.")
        .otherwise("as many as were in use at once within the last 30 s");
    return t;
  }();
  return table;
}

const Object<UpstreamTls>& upstream_tls() {
  static const Object<UpstreamTls> table = [] {
    Object<UpstreamTls> t("upstream_tls", "How the certificates of servers are verified.");
    t.field("ca", &UpstreamTls::ca, file_path(), "The PEM file with the trusted authorities.")
        .otherwise("the system's");
    t.field("server_name", &UpstreamTls::server_name, text(), "The name that is sent as SNI and verified.")
        .otherwise("the server's host");
    t.field("verify", &UpstreamTls::verify, boolean(), "Whether certificates are verified.");
    return t;
  }();
  return table;
}

void add_server_fields(Object<ServerGroup>& t) {
  t.field("name", &ServerGroup::name, name(), "The name of the group, unique among the groups.").required();
  t.field("protocol", &ServerGroup::protocol,
          choice<Protocol>({{"http", Protocol::kHttp},
                            {"https", Protocol::kHttps},
                            {"h2c", Protocol::kH2c},
                            {"h2", Protocol::kH2},
                            {"grpc", Protocol::kGrpc},
                            {"grpcs", Protocol::kGrpcs}}),
          "The protocol that the servers speak.");
  t.field("scheduler", &ServerGroup::scheduler,
          choice<Scheduler>({{"wrr", Scheduler::kWrr},
                             {"wlc", Scheduler::kWlc},
                             {"p2c", Scheduler::kP2c},
                             {"hash", Scheduler::kHash},
                             {"sch", Scheduler::kSch},
                             {"uch", Scheduler::kUch}}),
          "How a server is chosen. wrr: in turn, by weight. wlc: the server with the fewest requests in flight for its "
          "weight. p2c: the faster and less busy of two random servers. hash: by a hash of the request, see `hash`. "
          "sch: by a hash of the client's address. uch: by a hash of a query parameter.");
  t.field("hash", &ServerGroup::hash, object("hash", hash_table, "{on: cookie, name: user}"),
          "What the hash schedulers hash.");
  t.field("slow_start", &ServerGroup::slow_start, object("slow_start", slow_start_table, "{window: 30s}"),
          "How the share of a new or recovered server grows. It works with every scheduler.")
      .otherwise("none");
  t.field("sticky", &ServerGroup::sticky, object("sticky", sticky_table, "{max_age: 1000s}"),
          "Keeps a client on the server that answered its first request.")
      .otherwise("off");
  t.field("passive_check", &ServerGroup::passive_check, object("passive_check", passive_check_table, "{failures: 5}"),
          "Ejects servers that fail requests.")
      .otherwise("none");
  t.field("circuit_breaker", &ServerGroup::circuit_breaker,
          object("circuit_breaker", circuit_breaker_table, "{failure_percent: 50}"),
          "Answers 503 at once while too many requests of the group fail.")
      .otherwise("none");
  t.field("zone_affinity", &ServerGroup::zone_affinity, boolean(),
          "Whether servers in the `zone` of this process are preferred while enough of them are healthy.");
  t.field("servers", &ServerGroup::servers,
          list_of<Server>(object("server", server_table, "{address: \"10.0.0.1:80\"}")), "The servers.")
      .required();
  t.field("health_check", &ServerGroup::health_check, object("health_check", health_check_table, "{path: /healthz}"),
          "Active probes of the servers.")
      .otherwise("no probes");
  t.field("fail_open", &ServerGroup::fail_open, boolean(),
          "Whether all servers are used when none is healthy. If not, requests get 503.");
}

void add_upstream_fields(Object<ServerGroup>& t) {
  t.field("connection_drain", &ServerGroup::connection_drain, duration(0s, 900s),
          "How long requests in flight may continue on a server that drains or is removed.");
  t.field("drain_unhealthy", &ServerGroup::drain_unhealthy, boolean(),
          "Whether requests on a server that becomes unhealthy must end within `connection_drain`.");
  t.field("timeouts", self, object("group_timeouts", group_timeouts, "{connect: 5s}"),
          "The timers towards the servers.");
  t.field("keep_alive", self, object("keep_alive", keep_alive_table, "{pool: 32}"), "Idle connections to the servers.");
  add_failure_fields(t);
  t.field("source_addresses", &ServerGroup::source_addresses, list_of<Value<std::string>>(local_address(), 1, true),
          "The local addresses that connections to servers use in turn. Each address has its own ports.")
      .otherwise("the kernel's choice");
  t.field("accept_repeated_chunked", &ServerGroup::accept_repeated_chunked, boolean(),
          "Whether responses with `Transfer-Encoding: chunked` twice, which some frameworks send, are read as if it "
          "were there once. If not, the client gets 502.");
  t.field("tls", &ServerGroup::tls, object("upstream_tls", upstream_tls, "{ca: ca.pem}"), "TLS towards the servers.");
}

}  // namespace

const Object<ServerGroup>& group_table() {
  static const Object<ServerGroup> table = [] {
    Object<ServerGroup> t("server_group", "A group of servers that can answer the same requests.");
    add_server_fields(t);
    add_upstream_fields(t);
    return t;
  }();
  return table;
}

void add_group_tables(Tables& tables) {
  tables.insert(tables.end(),
                {&group_table().info(), &server_table().info(), &hash_table().info(), &slow_start_table().info(),
                 &sticky_table().info(), &passive_check_table().info(), &circuit_breaker_table().info(),
                 &health_check_table().info(), &retries_table().info(), &queue_table().info(), &group_timeouts().info(),
                 &keep_alive_table().info(), &upstream_tls().info()});
}

}  // namespace albatross::config
