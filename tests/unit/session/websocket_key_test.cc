#include "session/websocket_key.h"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "base/siphash.h"

namespace albatross::session_test {
namespace {

// What was written, and that nothing was written behind it.
template <class Write>
std::string written(std::size_t size, Write write) {
  std::string out(size + 4, '!');
  write(out.data());
  CHECK(out.substr(size) == "!!!!");
  return out.substr(0, size);
}
std::string key(std::uint64_t high, std::uint64_t low) {
  return written(kWebsocketKeySize, [&](char* out) { write_websocket_key(high, low, out); });
}
std::string accept(std::string_view key) {
  return written(kWebsocketAcceptSize, [&](char* out) { write_websocket_accept(key, out); });
}

}  // namespace

TEST_CASE("the answer to a websocket key is that of RFC 6455") {
  CHECK(accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // §1.3
  CHECK(accept("x3JJHMbDL1EzLkh9GBhXDw==") == "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

TEST_CASE("a websocket key of any length has an answer") {
  // Where SHA-1's padding needs another block, and where it does not.
  CHECK(accept("") == "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
  CHECK(accept(std::string(19, 'k')) == "tWclcP21hrR+xgjYVswtQRW71GQ=");
  CHECK(accept(std::string(20, 'k')) == "tSsjsIAvEVIQ+IC5K8+T/OkG8nU=");
  CHECK(accept(std::string(28, 'k')) == "x9bmfLYIxLMaaT5h0sFuRlAhhb8=");
  CHECK(accept(std::string(92, 'k')) == "LY9EluoxzTck+ySKVLqXrQNaqCc=");
}

TEST_CASE("a websocket key is 16 bytes in base64") {
  CHECK(key(0, 0) == "AAAAAAAAAAAAAAAAAAAAAA==");
  CHECK(key(~0ull, ~0ull) == "/////////////////////w==");
  CHECK(key(0x0807060504030201, 0x100f0e0d0c0b0a09) == "AQIDBAUGBwgJCgsMDQ4PEA==");
  CHECK(key(0xf0fbf0fbf0fbf0fb, 0xf0fbf0fbf0fbf0fb) == "+/D78Pvw+/D78Pvw+/D78A==");
}

TEST_CASE("every random bit counts in a websocket key") {
  std::set<std::string> keys{key(0, 0)};
  for (int bit = 0; bit < 64; ++bit) {
    keys.insert(key(1ull << bit, 0));
    keys.insert(key(0, 1ull << bit));
  }
  CHECK(keys.size() == 129);
  Random random(7);
  for (int i = 0; i < 1000; ++i) keys.insert(key(random.next(), random.next()));
  CHECK(keys.size() == 1129);
}

}  // namespace albatross::session_test
