#include "control/admin/metrics.h"

#include <cstdio>

#include "base/version.h"

namespace albatross {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    out += c;
  }
  return out;
}

std::string number(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", v);
  return text;
}

// Builds the text.
class Page {
 public:
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    out_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }
  void sample(const std::string& labels, std::uint64_t value, const char* suffix = "") {
    out_ += name_ + suffix + (labels.empty() ? "" : "{" + labels + "}") + " " + std::to_string(value) + "\n";
  }
  void sample(const std::string& labels, double value, const char* suffix = "") {
    out_ += name_ + suffix + (labels.empty() ? "" : "{" + labels + "}") + " " + number(value) + "\n";
  }
  template <class Stats, class F>
  void histogram(const std::string& labels, const StatsTable<Stats>& table, const std::string& who, F f) {
    std::uint64_t total = 0;
    double sum = 0;
    for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) {
      total += table.sum(who, [&](const Stats& s) { return f(s).bucket(i); });
      std::string le = i < Histogram::kBounds.size() ? number(Histogram::kBounds[i]) : "+Inf";
      sample(labels + ",le=\"" + le + "\"", total, "_bucket");
    }
    table.each(who, [&](const Stats& s) { sum += f(s).sum_seconds(); });
    sample(labels, sum, "_sum");
    sample(labels, total, "_count");
  }
  std::string take() { return std::move(out_); }

 private:
  std::string name_;
  std::string out_;
};

std::string label(const char* key, const std::string& value) {
  return std::string(key) + "=\"" + escaped(value) + "\"";
}

// One family, with a sample for each name in the table.
template <class Stats, class F>
void each(Page& page, const StatsTable<Stats>& table, const char* key, const char* name, const char* type,
          const char* help, F f) {
  page.family(name, type, help);
  for (const auto& [who, id] : table.names()) page.sample(label(key, who), table.sum(who, f));
}

constexpr const char* kClasses[6] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

template <class Stats>
void by_class(Page& page, const StatsTable<Stats>& table, const char* key, const char* name, const char* help) {
  page.family(name, "counter", help);
  for (const auto& [who, id] : table.names()) {
    for (std::size_t c = 0; c < 6; ++c) {
      page.sample(label(key, who) + ",status=\"" + kClasses[c] + "\"",
                  table.sum(who, [c](const Stats& s) { return s.requests[c].get(); }));
    }
  }
}

// Only for groups that had calls; others would have eighteen lines of zeros.
void grpc(Page& p, const StatsTable<GroupStats>& t) {
  p.family("albatross_grpc_responses_total", "counter", "gRPC calls by group and grpc-status that the client got.");
  for (const auto& [who, id] : t.names()) {
    std::array<std::uint64_t, kGrpcStatuses> counts;
    std::uint64_t all = 0;
    for (std::size_t c = 0; c < kGrpcStatuses; ++c)
      all += counts[c] = t.sum(who, [c](const GroupStats& s) { return s.grpc[c].get(); });
    for (std::size_t c = 0; all > 0 && c < kGrpcStatuses; ++c) {
      std::string status = c + 1 < kGrpcStatuses ? std::to_string(c) : "none";
      p.sample(label("server_group", who) + ",grpc_status=\"" + status + "\"", counts[c]);
    }
  }
}

void listeners(Page& p, const StatsTable<ListenerStats>& t) {
  using S = ListenerStats;
  by_class(p, t, "listener", "albatross_requests_total", "Requests by listener and class of the status sent.");
  p.family("albatross_request_duration_seconds", "histogram",
           "Time from the end of the request's head to the end of its answer.");
  for (const auto& [who, id] : t.names())
    p.histogram(label("listener", who), t, who, [](const S& s) -> const Histogram& { return s.duration; });
  each(p, t, "listener", "albatross_connections_total", "counter", "Connections accepted.",
       [](const S& s) { return s.connections.get(); });
  each(p, t, "listener", "albatross_connections_open", "gauge", "Connections open now.",
       [](const S& s) { return s.connections.get() - s.connections_closed.get(); });
  each(p, t, "listener", "albatross_tls_handshake_failures_total", "counter",
       "TLS handshakes and PROXY headers that failed or took too long.",
       [](const S& s) { return s.tls_failures.get(); });
  each(p, t, "listener", "albatross_underscore_fields_dropped_total", "counter",
       "Request fields dropped because of an underscore in their names.",
       [](const S& s) { return s.underscored.get(); });
  each(p, t, "listener", "albatross_request_body_bytes_total", "counter", "Bytes of request bodies received.",
       [](const S& s) { return s.bytes_in.get(); });
  each(p, t, "listener", "albatross_response_body_bytes_total", "counter", "Bytes of response bodies sent.",
       [](const S& s) { return s.bytes_out.get(); });
}

void groups(Page& p, const StatsTable<GroupStats>& t) {
  using S = GroupStats;
  by_class(p, t, "server_group", "albatross_upstream_requests_total",
           "Answers of servers by group and class of status.");
  p.family("albatross_upstream_duration_seconds", "histogram",
           "Time from the choice of a server to the head of its answer. The time that clients take to read is not "
           "included.");
  for (const auto& [who, id] : t.names())
    p.histogram(label("server_group", who), t, who, [](const S& s) -> const Histogram& { return s.duration; });
  each(p, t, "server_group", "albatross_upstream_connects_total", "counter", "Connections to servers that were begun.",
       [](const S& s) { return s.connects.get(); });
  each(p, t, "server_group", "albatross_upstream_connect_failures_total", "counter",
       "Connections to servers that failed.", [](const S& s) { return s.connect_failures.get(); });
  each(p, t, "server_group", "albatross_upstream_connections_open", "gauge", "Connections to servers open now.",
       [](const S& s) { return s.connects.get() - s.connections_closed.get() - s.sync_failures.get(); });
  each(p, t, "server_group", "albatross_upstream_connections_reused_total", "counter",
       "Requests sent on a connection that had served before.", [](const S& s) { return s.reused.get(); });
  each(p, t, "server_group", "albatross_upstream_retries_total", "counter", "Tries after the first.",
       [](const S& s) { return s.retries.get(); });
  each(p, t, "server_group", "albatross_upstream_retries_over_budget_total", "counter",
       "Tries after the first that the retry budget refused.", [](const S& s) { return s.retries_over_budget.get(); });
  each(p, t, "server_group", "albatross_upstream_requests_in_flight", "gauge", "Requests on the group now.",
       [](const S& s) { return s.in_flight_started.get() - s.in_flight_ended.get(); });
  each(p, t, "server_group", "albatross_no_server_total", "counter", "Requests for which no server could be chosen.",
       [](const S& s) { return s.no_server.get(); });
  each(p, t, "server_group", "albatross_queue_waiting", "gauge", "Requests that wait for a server with room.",
       [](const S& s) { return s.queued.get() - s.queue_left.get(); });
  each(p, t, "server_group", "albatross_queued_total", "counter", "Requests that had to wait for a server with room.",
       [](const S& s) { return s.queued.get(); });
  each(p, t, "server_group", "albatross_queue_refused_total", "counter", "Requests that found the queue full.",
       [](const S& s) { return s.queue_refused.get(); });
  each(p, t, "server_group", "albatross_queue_timeouts_total", "counter",
       "Requests that waited for longer than queue.timeout.", [](const S& s) { return s.queue_timeouts.get(); });
  each(p, t, "server_group", "albatross_circuit_opened_total", "counter", "Times that the circuit breaker opened.",
       [](const S& s) { return s.circuit_opened.get(); });
  each(p, t, "server_group", "albatross_circuit_refused_total", "counter",
       "Requests refused while the circuit breaker was open.", [](const S& s) { return s.circuit_refused.get(); });
  grpc(p, t);
}

// One family, with a sample for each group, or for each server, of the snapshot.
template <class F>
void each_group(Page& p, const Snapshot& snapshot, const char* name, const char* type, const char* help, F f) {
  p.family(name, type, help);
  for (const auto& g : snapshot.groups) p.sample(label("server_group", g->name), f(*g->slot));
}

template <class F>
void each_server(Page& p, const Snapshot& snapshot, const char* name, const char* type, const char* help, F f) {
  p.family(name, type, help);
  for (const auto& g : snapshot.groups) {
    for (const ServerEntry& e : g->servers)
      p.sample(label("server_group", g->name) + "," + label("server", e.slot->address), f(*g, e));
  }
}

void traffic_of_servers(Page& p, const Snapshot& snapshot, const StatsTable<ServerStats>& t) {
  using S = ServerStats;
  auto sum = [&t](const GroupRuntime& g, const ServerEntry& e, auto f) {
    std::string name = g.name + "/" + e.slot->address;
    return t.has(name) ? t.sum(name, f) : std::uint64_t{0};
  };
  each_server(p, snapshot, "albatross_server_requests_total", "counter", "Requests sent to each server.",
              [&](const GroupRuntime& g, const ServerEntry& e) {
                return sum(g, e, [](const S& s) { return s.started.get(); });
              });
  each_server(p, snapshot, "albatross_server_requests_in_flight", "gauge", "Requests on each server now.",
              [&](const GroupRuntime& g, const ServerEntry& e) {
                return sum(g, e, [](const S& s) { return s.started.get() - s.ended.get(); });
              });
  p.family("albatross_server_responses_total", "counter", "Answers of each server, by class of status.");
  for (const auto& g : snapshot.groups) {
    for (const ServerEntry& e : g->servers) {
      for (std::size_t c = 1; c < 6; ++c) {
        p.sample(
            label("server_group", g->name) + "," + label("server", e.slot->address) + ",status=\"" + kClasses[c] + "\"",
            sum(*g, e, [c](const S& s) { return s.requests[c].get(); }));
      }
    }
  }
  each_server(p, snapshot, "albatross_server_failures_total", "counter", "Requests that each server failed.",
              [&](const GroupRuntime& g, const ServerEntry& e) {
                return sum(g, e, [](const S& s) { return s.failures.get(); });
              });
}

void servers(Page& p, const Control& control, const ProcessView& view) {
  const Snapshot& snapshot = view.snapshot;
  each_group(p, snapshot, "albatross_ejections_total", "counter", "Servers ejected because requests to them failed.",
             [](const GroupSlot& s) { return s.ejections.load(); });
  each_group(p, snapshot, "albatross_circuit_open", "gauge",
             "1 while the circuit breaker lets no request, or one trial request, through.",
             [](const GroupSlot& s) { return std::uint64_t{s.open_until.load() != 0}; });
  each_server(p, snapshot, "albatross_server_connections_open", "gauge", "Connections to each server.",
              [](const GroupRuntime&, const ServerEntry& e) { return std::uint64_t{e.slot->connections.load()}; });
  each_server(p, snapshot, "albatross_server_ports_used_ratio", "gauge",
              "Share of the local ports that connections to each server hold or held in the last minute. At 1 no other "
              "connection can be opened.",
              [&](const GroupRuntime&, const ServerEntry& e) { return view.ports.used(e); });
  each_server(p, snapshot, "albatross_server_healthy", "gauge", "0 if probes found the server unhealthy, else 1.",
              [](const GroupRuntime&, const ServerEntry& e) {
                return std::uint64_t{e.slot->health.load() != Health::kUnhealthy};
              });
  p.family("albatross_certificate_not_after_seconds", "gauge",
           "Expiry of each certificate of each listener, in seconds since the epoch.");
  for (const CertificateStatus& c : control.certificates()) {
    p.sample(label("listener", c.listener) + "," + label("file", c.file), static_cast<double>(c.not_after));
  }
}

void process(Page& p, const ProcessView& view) {
  StatsRegistry& stats = view.stats;
  p.family("albatross_terminations_total", "counter",
           "Requests that ended without a complete answer of a server, by cause.");
  for (std::size_t c = 1; c < static_cast<std::size_t>(Cause::kCount); ++c) {
    std::uint64_t n = 0;
    for (int w = 0; w < stats.workers(); ++w) n += stats.worker(w).terminations[c].get();
    p.sample(label("cause", std::string(info(static_cast<Cause>(c)).name)), n);
  }
  auto total = [&](const char* name, const char* help, Counter WorkerStats::*field) {
    std::uint64_t n = 0;
    for (int w = 0; w < stats.workers(); ++w) n += (stats.worker(w).*field).get();
    p.family(name, "counter", help);
    p.sample("", n);
  };
  total("albatross_connections_over_limit_total",
        "Times that accepting paused because the limit was reached and no connection was idle.",
        &WorkerStats::connections_over_limit);
  total("albatross_accept_failures_total", "Connections not accepted because descriptors or memory had run out.",
        &WorkerStats::accept_failures);
  p.family("albatross_overload_level", "gauge",
           "0: none; 1: connections are not kept; 2: the largest exchanges are ended; 3: new requests get 503; 4: no "
           "connections are accepted.");
  p.sample("", static_cast<std::uint64_t>(view.overload));
  p.family("albatross_overload_pressure_ratio", "gauge", "Share of the memory and descriptor limits that is used.");
  const Resources& r = view.resources;
  if (r.memory_limit != 0) p.sample("resource=\"memory\"", r.memory_ratio());
  if (r.descriptor_limit != 0) p.sample("resource=\"descriptors\"", r.descriptor_ratio());
  p.family("albatross_access_log_dropped_total", "counter",
           "Access log lines lost because more came than could be written, or because the disk is full.");
  p.sample("", view.log.dropped());
  p.family("albatross_probes_total", "counter", "Health probes sent.");
  p.sample("", view.prober.probes_sent());
  p.family("albatross_reloads_total", "counter", "Reloads by result.");
  p.sample("result=\"success\"", view.reloads);
  p.sample("result=\"failure\"", view.failed_reloads);
  p.family("albatross_configuration_generation", "gauge",
           "Number of the configuration in force. Rises with each reload, and when a name resolves differently.");
  p.sample("", view.snapshot.generation);
  p.family("albatross_build_info", "gauge", "Always 1. The labels are the version and the commit of the binary.");
  p.sample(label("version", kVersion) + "," + label("commit", kCommit), std::uint64_t{1});
  p.family("albatross_restart_needed", "gauge", "Keys of the configuration file whose new values need a restart.");
  p.sample("", std::uint64_t{view.needs_restart.size()});
  p.family("albatross_start_time_seconds", "gauge", "Start of the process, in seconds since the epoch.");
  p.sample("", std::uint64_t{view.started_at / kSecond});
}

// The names of arms are LISTENER/RULE and the group.
void arms(Page& p, const StatsTable<ArmStats>& t) {
  const auto family = [&](const char* name, const char* meaning, Counter ArmStats::*counter) {
    p.family(name, "counter", meaning);
    for (const auto& [who, id] : t.names()) {
      const std::size_t space = who.rfind(' ');
      p.sample(label("rule", who.substr(0, space)) + "," + label("server_group", who.substr(space + 1)),
               t.sum(who, [counter](const ArmStats& s) { return (s.*counter).get(); }));
    }
  };
  if (t.names().empty()) return;
  family("albatross_rollout_requests_total", "Requests of rules with a rollout, by group.", &ArmStats::requests);
  family("albatross_rollout_failures_total", "Those of them that failed, as the rollout counts it.",
         &ArmStats::failures);
}

}  // namespace

std::string metrics_text(const Control& control) {
  Page page;
  const ProcessView view = control.view();
  view.stats.visit([&](const auto& l, const auto& g, const auto& s, const auto& r) {
    listeners(page, l);
    groups(page, g);
    traffic_of_servers(page, view.snapshot, s);
    each(page, r, "rule", "albatross_rule_requests_total", "counter", "Requests by the rule that matched.",
         [](const RuleStats& x) { return x.requests.get(); });
  });
  view.stats.visit_arms([&](const auto& a) { arms(page, a); });
  servers(page, control, view);
  process(page, view);
  return page.take();
}

}  // namespace albatross
