// Turns one field section of a protocol that multiplexes into a Head or trailers: pseudo-fields, cookie crumbs,
// extended CONNECT and the limits (RFC 9113 §8.2, §8.3; RFC 9114 §4.2, §4.3). Decompression is the codec's.
//
// A codec has one for the section that it reads. Names and values are copied into the arena given to begin(), where the
// head lives. Nothing more is copied once a limit is reached. One thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/framing.h"
#include "http/h1/parse.h"
#include "http/head.h"

namespace albatross {

class FieldSection {
 public:
  // `limits` outlives this.
  explicit FieldSection(const HeadLimits& limits) : limits_(&limits) {}

  void begin(Arena& arena);
  // A field in the order of the wire. Decoded bytes count while they come: a small section may refer to a large entry
  // of the compression's table thousands of times.
  void add(std::string_view name, std::string_view value);
  // The limit that was exceeded, or kNone.
  Cause over() const { return over_; }

  // The section is complete. `end`: no body follows. The refusal's cause is over(), or that of framing.h.
  Refusal finish_request(bool end);
  // `to_head`: it answers a HEAD. `tunnel`: an extended CONNECT, where a 2xx reads as 101.
  Refusal finish_response(bool to_head, bool tunnel, bool end);
  // Removes the fields that trailers must not have (RFC 9110 §6.5.1). Null if nothing is left.
  Fields* finish_trailers();

  Head& head() { return head_; }
  std::uint32_t decoded() const { return decoded_; }  // bytes

 private:
  void take_pseudo(std::string_view name, std::string_view value);
  void join_cookies();

  const HeadLimits* limits_;
  Head head_;
  std::string_view protocol_;  // of an extended CONNECT
  std::uint32_t decoded_ = 0;
  std::uint32_t fields_ = 0;
  std::uint32_t crumbs_ = 0;
  Cause over_ = Cause::kNone;
};

}  // namespace albatross
