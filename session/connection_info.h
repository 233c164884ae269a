// The facts about one connection that hold as long as it lives. Owned by the Connection and const once that is open;
// the loop's thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/ip.h"
#include "http/head.h"

namespace albatross {

struct ConnectionInfo {
  IpAddress client;  // the peer's address, or the PROXY header's; invalid for unix peers
  std::uint16_t client_port = 0;
  bool secure = false;
  bool in_clear = false;               // the client does not speak TLS, though the listener does
  Version version = Version::kHttp11;  // of its messages, for the log; Capabilities say what it can do
  std::uint8_t client_text_size = 0;
  std::array<char, 45> client_text_data{};

  std::string_view client_text() const { return {client_text_data.data(), client_text_size}; }
  void set_client(const IpAddress& address, std::uint16_t port) {
    client = address;
    client_port = port;
    client_text_size = static_cast<std::uint8_t>(address.format(client_text_data.data()));
  }
};

}  // namespace albatross
