// Active probes (HTTP, HTTPS, TCP, gRPC): one prober for the process, on the control thread's loop.
//
// Each server with a check is probed every interval ±10 %, never twice at once. A new one is asked at once, and
// the second probes are spread over one interval. Results go to ServerSlot::health; a change is reported. All calls are
// the loop thread's.
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

struct ProbeTarget {
  std::shared_ptr<ServerSlot> slot;
  std::vector<SocketAddress> addresses;
  std::string host;                // of the Host field
  std::shared_ptr<TlsClient> tls;  // for HTTPS checks
  bool h2 = false;                 // what the server speaks
  config::HealthCheck check;
};

class Prober {
 public:
  using OnChange = std::function<void(const ServerSlot& slot, Health health)>;
  Prober(SessionContext& context, OnChange on_change);
  ~Prober();

  // From now on exactly these servers of that group are probed; one that stays keeps its state and its rhythm.
  void update(const std::string& group, std::vector<ProbeTarget> targets);
  // Groups that are not among these have none.
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
