// The handshake values of RFC 6455 §4: a key for a request of ours, and the answer that a server must give to a key.
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace albatross {

inline constexpr std::size_t kWebsocketKeySize = 24;
inline constexpr std::size_t kWebsocketAcceptSize = 28;

// Writes 16 bytes in base64. `out` has room for kWebsocketKeySize bytes.
void write_websocket_key(std::uint64_t random_high, std::uint64_t random_low, char* out);
// Writes base64(sha1(key + GUID)). `out` has room for kWebsocketAcceptSize bytes.
void write_websocket_accept(std::string_view key, char* out);

}  // namespace albatross
