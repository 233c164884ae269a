#include <sstream>

#include "sample.h"

namespace albatross::config::test {
namespace {

class Describer {
 public:
  std::string text() const { return out_.str(); }

  void all(const Config& c) {
    for (const Listener& one : c.listeners) listener(one);
    for (const ServerGroup& one : c.server_groups) group(one);
    for (const RuleSet& set : c.rule_sets) {
      put("rule_set", set.name);
      for (const Rule& one : set.rules) rule(one);
    }
    put("log", static_cast<int>(c.access_log.target), c.access_log.path);
    put("admin", c.admin.off, c.admin.token);
    for (const Bind& bind : c.admin.binds) put("admin.bind", bind.text, bind.host);
    put("shutdown", c.shutdown.delay, c.shutdown.drain);
    put("process", c.workers, c.max_connections);
  }

 private:
  void one(const std::string& text) { out_ << ' ' << text; }
  void one(const char* text) { out_ << ' ' << text; }
  void one(bool value) { out_ << (value ? " yes" : " no"); }
  void one(Duration value) { out_ << ' ' << value.count() << "ms"; }
  void one(std::uint64_t value) { out_ << ' ' << value; }
  void one(std::uint32_t value) { out_ << ' ' << value; }
  void one(std::uint16_t value) { out_ << ' ' << value; }
  void one(int value) { out_ << ' ' << value; }
  template <class T>
  void one(const Value<T>& value) {
    if constexpr (std::is_enum_v<T>) {
      one(static_cast<int>(*value));
    } else {
      one(*value);
    }
  }
  template <class T>
  void one(const std::optional<T>& value) {
    if (value) {
      one(*value);
    } else {
      out_ << " -";
    }
  }
  template <class T>
  void one(const std::vector<T>& values) {
    out_ << " [";
    for (const T& value : values) one(value);
    out_ << " ]";
  }
  void one(const Pattern& p) { put_inline(static_cast<int>(p.kind), p.ignore_case, p.text); }
  void one(const WeightedGroup& g) { put_inline(g.name, g.weight); }
  void one(const std::pair<std::uint16_t, std::uint16_t>& codes) { put_inline(codes.first, codes.second); }
  void one(const Certificate& c) { put_inline(c.cert, c.key); }
  void one(const Condition& c) {
    put_inline("(", static_cast<int>(c.kind), c.name, c.patterns, c.networks, c.inner, ")");
  }
  void one(const Timeouts& t) {
    put_inline(t.idle, t.handshake, t.request_head, t.request_body, t.request_body_rate, t.response, t.send, t.total,
               t.tunnel);
  }
  void one(const RuleTimeouts& t) {
    put_inline(t.request_body, t.request_body_rate, t.response, t.send, t.total, t.tunnel);
  }
  void one(const GroupSticky& s) { put_inline(s.max_age, s.samesite); }
  void one(const ErrorPage& p) { put_inline(p.code, p.file); }
  template <class... T>
  void put_inline(const T&... values) {
    (one(values), ...);
  }
  template <class... T>
  void put(const T&... values) {
    put_inline(values...);
    out_ << '\n';
  }

  void action(const Action& a) {
    put("action", static_cast<int>(a.kind), a.forward.groups, a.forward.sticky);
    const Redirect& r = a.redirect;
    put(" redirect", r.protocol, r.host, r.port, r.path, r.query, r.code);
    put(" fixed", a.fixed_response.code, a.fixed_response.content_type, a.fixed_response.body);
    put(" rewrite", a.rewrite.host, a.rewrite.path, a.rewrite.query, a.header.name, a.header.value);
  }
  void rule(const Rule& r) {
    put("rule", r.name, r.priority, r.conditions, r.timeouts, r.body_limit);
    for (const Action& one_action : r.actions) action(one_action);
  }
  void listener(const Listener& l) {
    put("listener", l.name, l.bind.text, l.bind.host, l.bind.port, l.protocol, l.certificates, l.security_policy,
        l.http2);
    put(l.timeouts, l.limits.request_head, l.limits.target, l.limits.fields, l.limits.body);
    put(l.trusted_proxies, l.proxy_protocol_from, l.encoded_slash_pass, l.half_close, l.rule_set, l.strict_sni,
        static_cast<int>(l.underscores), l.error_pages);
    put(l.x_forwarded.forwarded_for, l.x_forwarded.proto, l.x_forwarded.port, l.x_forwarded.host);
    for (const Rule& one_rule : l.rules) rule(one_rule);
    for (const Action& one_action : l.default_actions) action(one_action);
  }
  void group(const ServerGroup& g) {
    put("group", g.name, g.protocol, g.scheduler, g.hash.on, g.hash.name, g.hash.algorithm, g.hash.max_load,
        g.zone_affinity, g.fail_open, g.connection_drain, g.connect_timeout, g.response_timeout);
    put(g.keep_alive_idle, g.keep_alive_pool, g.retries.tries, g.retries.per_try_timeout, g.retries.budget,
        g.max_requests, g.max_connections, g.queue.size, g.queue.timeout, g.drain_unhealthy, g.tls.ca,
        g.tls.server_name, g.tls.verify, g.accept_repeated_chunked);
    if (g.sticky) put("sticky", g.sticky->max_age, g.sticky->cookie, g.sticky->samesite);
    if (g.passive_check) put("passive", g.passive_check->failures, g.passive_check->codes);
    for (const Server& s : g.servers) put("server", s.address, s.host, s.port, s.is_unix, s.weight, s.zone, s.backup);
    if (g.slow_start) put("slow_start", g.slow_start->window, g.slow_start->curve);
    if (!g.health_check) return;
    const HealthCheck& h = *g.health_check;
    put("health", h.service, h.starts_healthy, h.doubt_interval, h.protocol, h.path, h.method, h.host, h.port,
        h.interval, h.timeout, h.healthy_threshold, h.unhealthy_threshold, h.codes);
  }

  std::ostringstream out_;
};

}  // namespace

std::string describe(const Config& config) {
  Describer describer;
  describer.all(config);
  return describer.text();
}

}  // namespace albatross::config::test
