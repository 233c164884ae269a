#include "config/check/group.h"

#include <algorithm>

#include "config/scalar.h"

namespace albatross::config {
namespace {

void check_scheduler(const Config& config, const ServerGroup& group, const std::string& path, Diagnostics& out) {
  using S = ServerGroup::Scheduler;
  using On = Hash::On;
  const S how = *group.scheduler;
  const bool named = *group.hash.on == On::kHeader || *group.hash.on == On::kCookie || *group.hash.on == On::kQuery;
  if (how == S::kUch && group.hash.name->empty()) {
    out.error(group.scheduler.at, path + ".scheduler", "uch needs the name of a query parameter",
              "add hash: {name: NAME}");
  } else if (how == S::kHash && named && group.hash.name->empty()) {
    out.error(group.hash.on.at, path + ".hash.on", "the name of the header, cookie or query parameter is missing",
              "add name: NAME");
  } else if ((how == S::kSch || how == S::kUch) && group.hash.on.written()) {
    out.warning(group.hash.on.at, path + ".hash.on", "sch and uch do not use this key", "write scheduler: hash");
  } else if (how < S::kHash && (group.hash.on.written() || group.hash.name.written())) {
    out.warning(group.hash.on.written() ? group.hash.on.at : group.hash.name.at, path + ".hash",
                "this scheduler does not use a hash", "write scheduler: hash");
  }
  if (group.zone_affinity && config.zone->empty()) {
    out.warning(group.zone_affinity.at, path + ".zone_affinity", "this process has no zone, so no server is local",
                "add zone: NAME at the top level");
  }
  bool all_backup = !group.servers.empty();
  for (const Server& s : group.servers) all_backup &= *s.backup;
  if (all_backup) out.warning(group.at, path + ".servers", "every server is a backup", "");
}

void check_tls(const ServerGroup& group, const std::string& path, Diagnostics& out) {
  using P = ServerGroup::Protocol;
  const bool plain = *group.protocol == P::kHttp || *group.protocol == P::kH2c || *group.protocol == P::kGrpc;
  for (const Place place : {group.tls.ca.at, group.tls.server_name.at, group.tls.verify.at}) {
    if (plain && place.written()) {
      out.warning(place, path + ".tls", "a group without TLS does not use this key", "write protocol: https");
      return;
    }
  }
}

void check_retries(const ServerGroup& group, const std::string& path, Diagnostics& out) {
  const Retries& r = group.retries;
  const bool on_timeout = std::find(r.on.begin(), r.on.end(), Retries::On::kTimeout) != r.on.end();
  if (on_timeout && !r.per_try_timeout) {
    out.warning(group.at, path + ".retries.on", "timeout has no effect without per_try_timeout",
                "add per_try_timeout: 2s");
  }
  if (r.per_try_timeout && !on_timeout) {
    out.warning(r.per_try_timeout->at, path + ".retries.per_try_timeout",
                "no retry follows it, so it only shortens timeouts.response",
                "add timeout to on: [connect, reset, timeout]");
  }
  if (r.per_try_timeout && group.response_timeout && **r.per_try_timeout >= **group.response_timeout) {
    out.warning(r.per_try_timeout->at, path + ".retries.per_try_timeout",
                "timeouts.response covers all tries together and is not longer than this", "make it shorter");
  }
}

void check_limits(const ServerGroup& group, const std::string& path, Diagnostics& out) {
  bool limited = *group.max_requests != 0 || *group.max_connections != 0;
  for (const Server& s : group.servers) limited |= *s.max_requests != 0 || *s.max_connections != 0;
  const Place queue = group.queue.size.written() ? group.queue.size.at : group.queue.timeout.at;
  if (queue.written() && !limited) {
    out.warning(queue, path + ".queue", "the queue has no effect without a limit",
                "add max_requests or max_connections");
  }
}

// Whether interval and timeout have their default values, written or not.
bool is_usual(const HealthCheck& h) {
  return *h.interval == *HealthCheck().interval && *h.timeout == *HealthCheck().timeout;
}

void check_health(const ServerGroup& group, const std::string& path, Diagnostics& out) {
  if (group.drain_unhealthy && !group.health_check) {
    out.warning(group.drain_unhealthy.at, path + ".drain_unhealthy", "without probes no server becomes unhealthy",
                "add health_check: {}");
  }
  if (!group.health_check) return;
  const HealthCheck& h = *group.health_check;
  if (h.doubt_interval && **h.doubt_interval > *h.interval) {
    out.warning(h.doubt_interval->at, path + ".health_check.doubt_interval", "doubt_interval is longer than interval",
                "make it shorter");
  }
  if (*h.timeout > *h.interval && (h.timeout.written() || h.interval.written()) && !is_usual(h)) {
    const Place at = h.timeout.written() ? h.timeout.at : h.interval.at;
    out.warning(at, path + ".health_check",
                "the timeout of a probe, " + to_text(h.timeout) + ", is longer than the interval, " +
                    to_text(h.interval) + ": a server that hangs is probed every " + to_text(h.timeout) +
                    " and noticed after " + to_text(*h.timeout * *h.unhealthy_threshold),
                "write timeout: " + to_text(h.interval));
  }
  if (h.service.written() && h.protocol.written() && *h.protocol != HealthCheck::Protocol::kGrpc) {
    out.warning(h.service.at, path + ".health_check.service", "only grpc probes ask for a service",
                "write protocol: grpc");
  }
}

}  // namespace

void check_group(const Config& config, const ServerGroup& group, const std::string& path, Diagnostics& out) {
  check_tls(group, path, out);
  check_scheduler(config, group, path, out);
  check_retries(group, path, out);
  check_limits(group, path, out);
  check_health(group, path, out);
}

}  // namespace albatross::config
