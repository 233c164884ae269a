// The chunked coding of RFC 9112 §7.1, incremental and strict: sizes are 1*HEXDIG without overflow, extensions are
// bounded and dropped, every chunk ends in exactly CRLF.
#pragma once

#include <cstdint>
#include <string_view>

namespace albatross {

class ChunkedReader {
 public:
  enum class Step : std::uint8_t { kMore, kData, kTrailers, kBad };

  // Looks at the bytes: consumes framing, and for kData sets `data` to the run of content at hand (maybe a part of the
  // chunk). kTrailers: the last chunk was seen; what follows is the trailer section. `consumed` counts all bytes eaten.
  Step next(std::string_view bytes, std::size_t& consumed, std::string_view& data);
  void reset() { *this = ChunkedReader(); }

 private:
  enum class State : std::uint8_t { kSize, kBlank, kExtension, kSizeLf, kData, kDataCr, kDataLf };
  static constexpr std::uint32_t kMaxExtension = 1024;        // of one chunk
  static constexpr std::uint32_t kMaxExtensions = 16 * 1024;  // of a message

  State state_ = State::kSize;
  static constexpr std::uint8_t kMaxDigits = 32;  // leading zeros are allowed, not for ever

  std::uint8_t digits_ = 0;
  std::uint64_t left_ = 0;
  std::uint32_t extension_ = 0;
  std::uint32_t extensions_ = 0;
};

}  // namespace albatross
