// Listeners and what belongs to one: certificates, timeouts, limits, forwarded headers.
#include "config/table/table.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

using namespace std::chrono_literals;
using Protocol = Listener::Protocol;
using For = XForwarded::For;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

const Object<Certificate>& certificate_table() {
  static const Object<Certificate> table = [] {
    Object<Certificate> t("certificate", "A certificate chain and its key, both PEM.");
    t.field("cert", &Certificate::cert, file_path(), "The chain, the server's own certificate first.").required();
    t.field("key", &Certificate::key, file_path(), "The private key.").required();
    return t;
  }();
  return table;
}

const Object<Timeouts>& timeouts_table() {
  static const Object<Timeouts> table = [] {
    Object<Timeouts> t("timeouts", "The timers on the client's side of a listener.");
    t.field("idle", &Timeouts::idle, duration(1s, 4000s), "A kept-alive connection without a request is closed.");
    t.field("handshake", &Timeouts::handshake, duration(1ms, 24h), "The TLS handshake and the PROXY header.");
    t.field("request_head", &Timeouts::request_head, duration(100ms, 300s),
            "The whole head of a request, from its first byte; then 408.");
    t.field("request_body", &Timeouts::request_body, duration(1ms, 24h),
            "The longest gap in a request's body; then 408.");
    t.field(
        "response", &Timeouts::response, duration(1s, 3600s),
        "From the end of the request to the response's head, then the longest gap in its body; then 504 or a reset.");
    t.field("send", &Timeouts::send, duration(1ms, 24h), "A client that reads nothing for this long is cut off.");
    t.field("total", &Timeouts::total, duration(1ms, 24h), "The whole exchange; then 504 or a reset.")
        .otherwise("no limit");
    t.field("tunnel", &Timeouts::tunnel, duration(1ms, 24h), "An idle WebSocket; then close frame 1001.");
    return t;
  }();
  return table;
}

const Object<Limits>& limits_table() {
  static const Object<Limits> table = [] {
    Object<Limits> t("limits", "How large a request on a listener may be.");
    t.field("request_head", &Limits::request_head, size(kKiB, kMiB), "Start line and fields; above it 431.");
    t.field("target", &Limits::target, size(64, kMiB), "The request target; above it 414.");
    t.field("fields", &Limits::fields, big_number(1, 1000), "The number of fields; above it 431.");
    t.field("body", &Limits::body, size(0, kMiB * kMiB), "The largest request body; above it 413.")
        .otherwise("no limit");
    return t;
  }();
  return table;
}

const Object<Listener>& proxy_protocol_table() {
  static const Object<Listener> table = [] {
    Object<Listener> t("proxy_protocol", "The PROXY header, version 1 or 2.");
    t.field("from", &Listener::proxy_protocol_from, list_of<Value<std::string>>(network(), 1, true),
            "Who sends one: from these addresses it is required, from others it is not read.")
        .required();
    return t;
  }();
  return table;
}

const Object<XForwarded>& x_forwarded_table() {
  static const Object<XForwarded> table = [] {
    Object<XForwarded> t("x_forwarded", "The X-Forwarded fields that a server gets.");
    t.field("for", &XForwarded::forwarded_for,
            choice<For>({{"append", For::kAppend},
                         {"remove", For::kRemove},
                         {"preserve", For::kPreserve},
                         {"process", For::kProcess}}),
            "X-Forwarded-For: `process` walks it from the right through `trusted_proxies` to the client.");
    t.field("proto", &XForwarded::proto, boolean(), "X-Forwarded-Proto.");
    t.field("port", &XForwarded::port, boolean(), "X-Forwarded-Port.");
    t.field("host", &XForwarded::host, boolean(), "X-Forwarded-Host.");
    return t;
  }();
  return table;
}

Listener& self(Listener& listener) { return listener; }

void add_connection_fields(Object<Listener>& t) {
  t.field("name", &Listener::name, name(), "Unique among the listeners.").required();
  t.field("bind", &Listener::bind, bind_address(), "Where it listens; `:port` is every address of both families.")
      .required();
  t.field("protocol", &Listener::protocol,
          choice<Protocol>({{"http", Protocol::kHttp},
                            {"https", Protocol::kHttps},
                            {"quic", Protocol::kQuic},
                            {"tcp", Protocol::kTcp},
                            {"tls", Protocol::kTls},
                            {"udp", Protocol::kUdp}}),
          "What clients speak.");
  t.field(
       "certificates", &Listener::certificates,
       list_of<Certificate>(object("certificate", certificate_table, "{cert: example.com.pem, key: example.com.key}")),
       "The first is the default, also without SNI; the others answer by SNI. An https listener needs one.")
      .otherwise("none");
  t.field("security_policy", &Listener::security_policy, known_name("security policy", security_policies()),
          "TLS versions and ciphers, by either cloud's name.");
  t.field("http2", &Listener::http2, boolean(), "Whether HTTP/2 is offered; on http by prior knowledge.")
      .otherwise("true on https, false on http");
}

void add_request_fields(Object<Listener>& t) {
  t.field("timeouts", &Listener::timeouts, object("timeouts", timeouts_table, "{idle: 15s}"), "Timers.");
  t.field("limits", &Listener::limits, object("limits", limits_table, "{body: 10MiB}"), "Limits.");
  t.field("trusted_proxies", &Listener::trusted_proxies, list_of<Value<std::string>>(network(), 0, true),
          "Whose X-Forwarded fields are believed.")
      .otherwise("nobody's");
  t.field("proxy_protocol", self, object("proxy_protocol", proxy_protocol_table, "{from: [10.0.0.0/8]}"),
          "Who sends a PROXY header.")
      .otherwise("nobody");
  t.field("x_forwarded", &Listener::x_forwarded, object("x_forwarded", x_forwarded_table, "{for: append}"),
          "The X-Forwarded fields that a server gets.");
  t.field("encoded_slash", &Listener::encoded_slash_pass, choice<bool>({{"reject", false}, {"pass", true}}),
          "What `%2F`, `%5C`, `\\` and `%00` in a path are: 400, or passed on.");
  t.field("half_close", &Listener::half_close, boolean(),
          "Whether a client may close its sending side and still wait for its answer.");
  t.field("rules", &Listener::rules, rule_list(), "Tried by priority.").otherwise("none");
  t.field("rule_set", &Listener::rule_set, name(), "A list of rules under `rule_sets`, instead of `rules`.")
      .otherwise("none");
  t.field("default_actions", &Listener::default_actions, action_list(), "What is done where no rule matches.")
      .required();
}

}  // namespace

const Object<Listener>& listener_table() {
  static const Object<Listener> table = [] {
    Object<Listener> t("listener", "A place where clients connect, and the rules for what they ask.");
    add_connection_fields(t);
    add_request_fields(t);
    return t;
  }();
  return table;
}

void add_listener_tables(Tables& tables) {
  for (const ObjectInfo* info : {&listener_table().info(), &certificate_table().info(), &timeouts_table().info(),
                                 &limits_table().info(), &proxy_protocol_table().info(), &x_forwarded_table().info()}) {
    tables.push_back(info);
  }
}

}  // namespace albatross::config
