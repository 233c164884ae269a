// Bytes as the start of a proxied connection: a decision never changes with what follows, and nothing else is eaten.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "net/proxy_header.h"

namespace albatross::net_test {
namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::cerr << what << "\n";
  std::abort();
}

void check(std::string_view bytes) {
  using State = ProxyHeader::State;
  ProxyHeader whole = parse_proxy_header(bytes);
  if (whole.state == State::kComplete) {
    require(whole.size > 0 && whole.size <= bytes.size(), "eats more than is there");
    require(whole.local || whole.source.valid, "a client without an address");
  }
  std::size_t longest = std::min<std::size_t>(bytes.size(), 5000);
  for (std::size_t n = 0; n < longest; ++n) {
    // A prefix that is behind other memory's end, so that a read beyond it shows.
    std::string copy(bytes.substr(0, n));
    copy.shrink_to_fit();
    ProxyHeader part = parse_proxy_header(copy);
    if (part.state == State::kIncomplete) continue;
    require(part.state == whole.state, "changes its mind");
    require(part.size == whole.size && part.local == whole.local && part.source == whole.source &&
                part.source_port == whole.source_port,
            "depends on what follows");
    require(part.state == State::kBad || n >= part.size, "complete too early");
    break;
  }
}

}  // namespace
}  // namespace albatross::net_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  albatross::net_test::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
