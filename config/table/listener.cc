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
    Object<Certificate> t("certificate", "A certificate chain and its private key, both PEM files.");
    t.field("cert", &Certificate::cert, file_path(),
            "The file with the chain. The server's own certificate comes first.")
        .required();
    t.field("key", &Certificate::key, file_path(), "The file with the private key.").required();
    return t;
  }();
  return table;
}

const Object<Timeouts>& timeouts_table() {
  static const Object<Timeouts> table = [] {
    Object<Timeouts> t("timeouts", "The timers of a listener's connections and requests.");
    t.field("idle", &Timeouts::idle, duration(1s, 4000s),
            "How long a kept-alive connection may wait for its next request.");
    t.field("handshake", &Timeouts::handshake, duration(1ms, 24h),
            "The longest time for the PROXY header and the TLS handshake together.");
    t.field("request_head", &Timeouts::request_head, duration(100ms, 300s),
            "The longest time from the first byte of a request's head to its end. After that the client gets 408.");
    t.field("request_body", &Timeouts::request_body, duration(1ms, 24h),
            "The longest pause within a request's body. After that the client gets 408.");
    t.field("request_body_rate", &Timeouts::request_body_rate, size(0, kMiB * 1024),
            "The lowest average rate of a request's body, in bytes per second. Below it the client gets 408. It is "
            "checked once the body has taken five times `request_body`, or 30 s if that is shorter, but at least "
            "`request_body`. Time in which the server accepts no data is not counted. 0B turns the limit off.");
    t.field("response", &Timeouts::response, duration(1s, 3600s),
            "The longest time from the end of the request to the head of the response, and the longest pause within "
            "the response's body. After that the client gets 504, or a reset if the response has begun.");
    t.field("send", &Timeouts::send, duration(1ms, 24h),
            "How long a client may read nothing before its connection is cut.");
    t.field("total", &Timeouts::total, duration(1ms, 24h),
            "The longest time for the whole exchange. After that the client gets 504, or a reset if the response has "
            "begun.")
        .otherwise("no limit");
    t.field("tunnel", &Timeouts::tunnel, duration(1ms, 24h),
            "How long a WebSocket may be idle. After that it is closed with code 1001.");
    return t;
  }();
  return table;
}

const Object<Limits>& limits_table() {
  static const Object<Limits> table = [] {
    Object<Limits> t("limits", "Limits on the size of requests.");
    t.field("request_head", &Limits::request_head, size(kKiB, kMiB),
            "The largest size of the request line and all fields. Larger heads get 431.");
    t.field("target", &Limits::target, size(64, kMiB),
            "The largest size of the request target. Longer targets get 414.");
    t.field("fields", &Limits::fields, big_number(1, 1000),
            "The largest number of fields. Requests with more fields get 431.");
    t.field("body", &Limits::body, size(0, kMiB * kMiB), "The largest size of a request's body. Larger bodies get 413.")
        .otherwise("no limit");
    return t;
  }();
  return table;
}

const Object<Listener>& proxy_protocol_table() {
  static const Object<Listener> table = [] {
    Object<Listener> t("proxy_protocol",
                       "The PROXY header, version 1 or 2, that a load balancer in front of albatross sends.");
    t.field("from", &Listener::proxy_protocol_from, list_of<Value<std::string>>(network(), 1, true),
            "The peers that must send a PROXY header. It is not read from other peers.")
        .required();
    return t;
  }();
  return table;
}

const Object<Listener>& explain_table() {
  static const Object<Listener> table = [] {
    Object<Listener> t("listener_explain", "Explanations for requests that ask for one with `x-albatross-explain: 1`.");
    t.field("from", &Listener::explain_from, list_of<Value<std::string>>(network(), 1, true),
            "The clients that get one: the rule, the group and the server in the response field of the same name, and "
            "everything else in the event log.")
        .required();
    return t;
  }();
  return table;
}

const Object<XForwarded>& x_forwarded_table() {
  static const Object<XForwarded> table = [] {
    Object<XForwarded> t("x_forwarded", "The X-Forwarded fields that servers get.");
    t.field("for", &XForwarded::forwarded_for,
            choice<For>({{"append", For::kAppend},
                         {"remove", For::kRemove},
                         {"preserve", For::kPreserve},
                         {"process", For::kProcess}}),
            "What happens to X-Forwarded-For. append: the peer's address is added. remove: the field is dropped. "
            "preserve: the field stays as it is. process: like append, and the client's address is the last address in "
            "the field that is not in `trusted_proxies`.");
    t.field("proto", &XForwarded::proto, boolean(), "Whether X-Forwarded-Proto is set.");
    t.field("port", &XForwarded::port, boolean(), "Whether X-Forwarded-Port is set.");
    t.field("host", &XForwarded::host, boolean(), "Whether X-Forwarded-Host is set.");
    return t;
  }();
  return table;
}

// A mapping of status codes to files.
Type<std::vector<ErrorPage>> error_pages() {
  const Type<std::uint16_t> code = small_number(400, 599);
  const Type<std::string> file = file_path();
  TypeInfo info{"mapping of status code to file", "400 to 599", {}};
  info.schema = {{"type", "object"},
                 {"propertyNames", {{"pattern", "^[45][0-9][0-9]$"}}},
                 {"additionalProperties", file.info.schema}};
  return {std::move(info), [code, file](Decoder& d, const Node& node, std::vector<ErrorPage>& out) {
            if (node.kind != Node::Kind::kMapping) {
              d.wrong_kind(node, "a mapping", "write it like {502: errors/502.html}");
              return false;
            }
            bool good = true;
            for (const Node::Entry& entry : node.entries) {
              const auto scope = d.enter(entry.key);
              Node key;
              key.kind = Node::Kind::kScalar;
              key.at = entry.at;
              key.text = entry.key;
              ErrorPage page;
              const bool read = code.decode(d, key, page.code) && store(d, entry.value, file, page.file);
              good = good && read;
              if (read) out.push_back(std::move(page));
            }
            return good;
          }};
}

Listener& self(Listener& listener) { return listener; }

void add_connection_fields(Object<Listener>& t) {
  t.field("name", &Listener::name, name(), "The listener's name, unique among the listeners.").required();
  t.field("bind", &Listener::bind, bind_address(),
          "The address to listen on. `:port` means all IPv4 and IPv6 addresses.")
      .required();
  t.field("protocol", &Listener::protocol,
          choice<Protocol>({{"http", Protocol::kHttp},
                            {"https", Protocol::kHttps},
                            {"quic", Protocol::kQuic},
                            {"tcp", Protocol::kTcp},
                            {"tls", Protocol::kTls},
                            {"udp", Protocol::kUdp}}),
          "The protocol that clients speak.");
  t.field(
       "certificates", &Listener::certificates,
       list_of<Certificate>(object("certificate", certificate_table, "{cert: example.com.pem, key: example.com.key}")),
       "The certificates, chosen by SNI. The first one is also used without SNI and for unknown names. An https "
       "listener needs at least one.")
      .otherwise("none");
  t.field("security_policy", &Listener::security_policy, known_name("security policy", security_policies()),
          "The TLS versions and ciphers, by the name of a policy of Alibaba Cloud or AWS.");
  t.field("http2", &Listener::http2, boolean(),
          "Whether HTTP/2 is offered: by ALPN on https, by prior knowledge on http.")
      .otherwise("true on https, false on http");
}

void add_request_fields(Object<Listener>& t) {
  t.field("timeouts", &Listener::timeouts, object("timeouts", timeouts_table, "{idle: 15s}"), "The listener's timers.");
  t.field("limits", &Listener::limits, object("limits", limits_table, "{body: 10MiB}"),
          "Limits on the size of requests.");
  t.field("trusted_proxies", &Listener::trusted_proxies, list_of<Value<std::string>>(network(), 0, true),
          "The peers whose X-Forwarded fields are trusted.")
      .otherwise("none");
  t.field("proxy_protocol", self, object("proxy_protocol", proxy_protocol_table, "{from: [10.0.0.0/8]}"),
          "The peers that send a PROXY header.")
      .otherwise("none");
  t.field("explain", self, object("listener_explain", explain_table, "{from: [10.0.0.0/8]}"),
          "Who gets an explanation of a request with `x-albatross-explain: 1`. The field is never passed to a server.")
      .otherwise("nobody");
  t.field("x_forwarded", &Listener::x_forwarded, object("x_forwarded", x_forwarded_table, "{for: append}"),
          "The X-Forwarded fields that servers get.");
  t.field("encoded_slash", &Listener::encoded_slash_pass, choice<bool>({{"reject", false}, {"pass", true}}),
          "Whether a path with `%2F`, `%5C`, `\\` or `%00` is refused with 400 or passed on.");
  t.field("half_close", &Listener::half_close, boolean(),
          "Whether a client may close its sending side and still get its response.");
  t.field("strict_sni", &Listener::strict_sni, boolean(),
          "Whether a request over HTTP/2 gets 421 if the connection's certificate does not cover its host.");
  t.field("underscores", &Listener::underscores,
          choice<Underscores>(
              {{"protect", Underscores::kProtect}, {"pass", Underscores::kPass}, {"drop", Underscores::kDrop}}),
          "What happens to request fields with a `_` in their names, which some servers read as a `-`. protect: a "
          "field is dropped if its name, with `-` in place of `_`, is that of a field that the proxy sets or strips, "
          "or that a rule of the listener reads or edits. pass: all are kept. drop: all are dropped.");
  t.field("error_pages", &Listener::error_pages, error_pages(),
          "Files that replace the text of the proxy's own answers, by status code. A file has at most 64KiB. Its "
          "ending decides the Content-Type: `.html`, `.json`, or plain text.")
      .otherwise("a short text with the cause and the request id");
  t.field("rules", &Listener::rules, rule_list(), "The rules, tried in the order of their priorities.")
      .otherwise("none");
  t.field("rule_set", &Listener::rule_set, name(), "The name of a list in `rule_sets`, used instead of `rules`.")
      .otherwise("none");
  t.field("default_actions", &Listener::default_actions, action_list(), "The actions for requests that match no rule.")
      .required();
}

}  // namespace

const Object<Listener>& listener_table() {
  static const Object<Listener> table = [] {
    Object<Listener> t("listener", "An address where clients connect, and the rules for their requests.");
    add_connection_fields(t);
    add_request_fields(t);
    return t;
  }();
  return table;
}

void add_listener_tables(Tables& tables) {
  tables.insert(tables.end(), {&listener_table().info(), &certificate_table().info(), &timeouts_table().info(),
                               &limits_table().info(), &proxy_protocol_table().info(), &explain_table().info(),
                               &x_forwarded_table().info()});
}

}  // namespace albatross::config
