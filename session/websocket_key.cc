#include "session/websocket_key.h"

#include <boost/uuid/detail/sha1.hpp>

namespace albatross {
namespace {

// Writes `size` bytes in base64, padded.
void write_base64(const unsigned char* bytes, std::size_t size, char* out) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < size; i += 3) {
    std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
    if (i + 1 < size) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
    if (i + 2 < size) group |= bytes[i + 2];
    *out++ = kDigits[group >> 18 & 63];
    *out++ = kDigits[group >> 12 & 63];
    *out++ = i + 1 < size ? kDigits[group >> 6 & 63] : '=';
    *out++ = i + 2 < size ? kDigits[group & 63] : '=';
  }
}

}  // namespace

void write_websocket_key(std::uint64_t random_high, std::uint64_t random_low, char* out) {
  unsigned char bytes[16];
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<unsigned char>(random_high >> (8 * i));
    bytes[8 + i] = static_cast<unsigned char>(random_low >> (8 * i));
  }
  write_base64(bytes, sizeof bytes, out);
}

void write_websocket_accept(std::string_view key, char* out) {
  static constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(key.data(), key.size());
  hash.process_bytes(kGuid.data(), kGuid.size());
  unsigned int words[5];
  hash.get_digest(words);
  unsigned char bytes[20];
  for (int i = 0; i < 20; ++i) bytes[i] = static_cast<unsigned char>(words[i / 4] >> (24 - 8 * (i % 4)));
  write_base64(bytes, sizeof bytes, out);
}

}  // namespace albatross
