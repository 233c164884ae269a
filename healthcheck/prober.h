// Active probes over HTTP, HTTPS, TCP and gRPC: one Prober for the process, on the control thread's loop.
//
// Each server with a health check is probed every interval ±10 %, by one probe at a time. A new server is probed at
// once, and the second probes of servers that are new at the same time are spread over one interval. The result is
// written to ServerSlot::health. One thread: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/siphash.h"
#include "config/config.h"
#include "net/tcp_transport.h"
#include "routing/balancing/server_table.h"
#include "session/session.h"
#include "tls/tls_client.h"

namespace albatross {

// A server and how it is probed.
struct ProbeTarget {
  std::shared_ptr<ServerSlot> slot;
  std::vector<SocketAddress> addresses;  // tried in order while they refuse the connection
  std::string host;                      // for the Host field, unless the check has its own
  std::shared_ptr<TlsClient> tls;        // null: without TLS
  bool h2 = false;                       // probes speak HTTP/2
  config::HealthCheck check;
};

class Prober {
 public:
  // Called when the health of a server has changed.
  using OnChange = std::function<void(const ServerSlot& slot, Health health)>;
  // `context` outlives the prober.
  Prober(SessionContext& context, OnChange on_change);
  ~Prober();

  // Probes exactly these servers of that group from now on; one that stays keeps its state and its next time.
  void update(const std::string& group, std::vector<ProbeTarget> targets);
  // Stops probing the groups that are not among these.
  void keep_groups(const std::set<std::string>& groups);
  std::uint64_t probes_sent() const { return sent_; }

 private:
  class Probe;
  friend class Probe;
  SessionContext& context_;
  OnChange on_change_;
  Random random_;
  std::uint64_t sent_ = 0;
  using Probes = std::unordered_map<ServerSlot*, std::unique_ptr<Probe>>;
  std::map<std::string, Probes> probes_;  // by group
};

}  // namespace albatross
