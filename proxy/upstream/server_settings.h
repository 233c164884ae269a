// How to reach one server. Const and shared by the entries of a configuration and by the workers' pools; any thread.
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
  std::shared_ptr<TlsClient> tls;        // null: without TLS
  std::string key;                       // connections that were opened under another key must not be used any more
  bool h2 = false;                       // HTTP/2: many requests share a connection
  Nanos connect_timeout = 5 * kSecond;
  Nanos idle = 60 * kSecond;
  // The most idle connections that are kept, each worker's share; or kKeepPeak: as many as were in use at once lately.
  static constexpr std::uint32_t kKeepPeak = ~std::uint32_t{0};
  std::uint32_t keep = kKeepPeak;
  bool repeated_chunked = false;  // a response may say `Transfer-Encoding: chunked` twice
  // The most connections to the server and to its group; each worker's share. 0: any number.
  std::uint32_t max_connections = 0;
  std::uint32_t group_max_connections = 0;
  std::vector<IpAddress> source_addresses;  // used in turn; empty: the kernel chooses
  bool limited() const { return max_connections != 0 || group_max_connections != 0; }
};

}  // namespace albatross
