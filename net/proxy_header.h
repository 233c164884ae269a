// The PROXY protocol, versions 1 and 2 (haproxy.org/download/1.8/doc/proxy-protocol.txt), at the start of a connection:
// it tells for which client a proxy in front of us connects. The parser is pure; a ProxyPeek belongs to one transport.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "net/transport.h"

namespace albatross {

struct ProxyHeader {
  enum class State : std::uint8_t { kComplete, kIncomplete, kBad };
  State state = State::kIncomplete;
  std::size_t size = 0;  // kComplete: of the header, in bytes
  bool local = false;    // LOCAL or UNKNOWN: the client is the connection's own peer
  IpAddress source;      // the client's, unless local
  std::uint16_t source_port = 0;
};

// `bytes` from the start of the connection. kIncomplete: more are needed.
ProxyHeader parse_proxy_header(std::string_view bytes);

// Reads the header from a socket before anything else does, and keeps the bytes that came after it.
class ProxyPeek {
 public:
  // Call it whenever the socket is readable: kAgain until the header is complete, then kOk; kError with EPROTO if there
  // is no proper header. `readable` and `hung_up` are the transport's flags.
  IoResult step(int fd, bool& readable, bool hung_up);
  const ProxyHeader& header() const { return header_; }
  // Bytes after the header that were not taken yet.
  std::size_t left() const { return held_.size() - at_; }
  // Moves at most `size` of them; returns how many.
  std::size_t take(char* into, std::size_t size);

 private:
  std::string held_;
  std::size_t at_ = 0;
  ProxyHeader header_;
};

}  // namespace albatross
