// A request whose client wants to know what happens to it (`x-albatross-explain`), as it came. Owned by whoever has it;
// any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace albatross {

struct AskedRequest {
  std::string listener, request_id;
  std::string method, target, host;
  std::string sni, alpn;  // of its TLS connection; empty: none
  std::string peer;       // the address of the connection's other end
  std::vector<std::pair<std::string, std::string>> headers;
};

}  // namespace albatross
