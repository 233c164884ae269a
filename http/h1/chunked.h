// Reads the chunked coding (RFC 9112 §7.1) piece by piece and strictly: a size is 1*HEXDIG without overflow,
// extensions are bounded and dropped, and each chunk ends in exactly CRLF. A value that its codec owns; one thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace albatross {

class ChunkedReader {
 public:
  enum class Step : std::uint8_t {
    kMore,      // all bytes were framing; more are needed
    kData,      // `data` is content, perhaps a part of a chunk
    kTrailers,  // the last chunk was read; the trailer section follows
    kBad,
  };

  // Reads one step from the start of `bytes`; `consumed` says how many of them, `data` included. `data` is a view of
  // `bytes`.
  Step next(std::string_view bytes, std::size_t& consumed, std::string_view& data);
  // Prepares for the next message.
  void reset() { *this = ChunkedReader(); }

 private:
  enum class State : std::uint8_t { kSize, kBlank, kExtension, kSizeLf, kData, kDataCr, kDataLf };
  static constexpr std::uint32_t kMaxExtension = 1024;        // of one chunk
  static constexpr std::uint32_t kMaxExtensions = 16 * 1024;  // of a message

  State state_ = State::kSize;
  static constexpr std::uint8_t kMaxDigits = 32;  // leading zeros are allowed up to this many

  std::uint8_t digits_ = 0;
  std::uint64_t left_ = 0;
  std::uint32_t extension_ = 0;
  std::uint32_t extensions_ = 0;
};

}  // namespace albatross
