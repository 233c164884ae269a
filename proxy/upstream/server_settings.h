// How to reach one server. Const and shared: by the entries of a configuration and by the workers' pools.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/tcp_transport.h"

namespace albatross {

class TlsClient;  // tls/tls_client.h

struct ServerSettings {
  std::vector<SocketAddress> addresses;  // tried in order within one connect (localhost: both families)
  std::shared_ptr<TlsClient> tls;        // null: plain
  std::string key;                       // differs where connections that are open must not be used any more
  bool h2 = false;                       // connections are shared by many requests
  Nanos connect_timeout = 5 * kSecond;
  Nanos idle = 60 * kSecond;
  std::uint32_t keep = 32;  // idle connections, this worker's share
  // Connections at most, this worker's share, to the server and to its group; 0: any number.
  std::uint32_t max_connections = 0;
  std::uint32_t group_max_connections = 0;
  std::vector<IpAddress> source_addresses;  // by turns; empty: the kernel's choice
  bool limited() const { return max_connections != 0 || group_max_connections != 0; }
};

}  // namespace albatross
