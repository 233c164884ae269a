// The PROXY protocol, versions 1 and 2 (haproxy.org/download/1.8/doc/proxy-protocol.txt), read from the start of a
// connection. Pure.
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
  std::size_t size = 0;  // bytes to eat
  bool local = false;    // LOCAL or UNKNOWN: the connection's own address counts
  IpAddress source;
  std::uint16_t source_port = 0;
};

ProxyHeader parse_proxy_header(std::string_view bytes);

// Reads the header from the front of a socket before anybody else does; what came behind it stays here.
class ProxyPeek {
 public:
  // kOk once the header is complete; kError with EPROTO if there is none.
  IoResult step(int fd, bool& readable, bool hung_up);
  const ProxyHeader& header() const { return header_; }
  std::size_t left() const { return held_.size() - at_; }
  std::size_t take(char* into, std::size_t size);

 private:
  std::string held_;
  std::size_t at_ = 0;
  ProxyHeader header_;
};

}  // namespace albatross
