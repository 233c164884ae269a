// The state of one direction of a stream, and what may follow: one table for both directions, every codec and both
// roles (RFC 9110 §6, RFC 9112 §2.1, RFC 9113 §8.1). Pure.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

namespace albatross {

enum class Direction : std::uint8_t {
  kIdle,    // no final head yet
  kBody,    // the head has passed, data or the end follows
  kTunnel,  // verbatim bytes until the end
  kEnded,   // complete
  kReset,   // cut: nothing more is sent or received
};

enum class Step : std::uint8_t { kInformational, kHead, kData, kTunnel, kEnd, kReset };

namespace direction_table {
inline constexpr auto kNo = static_cast<Direction>(0xff);
inline constexpr std::size_t kSteps = 6;
// A row for each Direction, a column for each Step. An upgrade of HTTP/1.1 makes a tunnel of a direction whose message
// has ended, as that of a GET has.
inline constexpr std::array<std::array<Direction, kSteps>, 5> kNext = {{
    // kInformational    kHead             kData               kTunnel             kEnd               kReset
    {Direction::kIdle, Direction::kBody, kNo, kNo, kNo, Direction::kReset},
    {kNo, kNo, Direction::kBody, Direction::kTunnel, Direction::kEnded, Direction::kReset},
    {kNo, kNo, Direction::kTunnel, kNo, Direction::kEnded, Direction::kReset},
    {kNo, kNo, kNo, Direction::kTunnel, kNo, Direction::kReset},
    {kNo, kNo, kNo, kNo, kNo, Direction::kReset},
}};
}  // namespace direction_table

constexpr bool may(Direction d, Step s) {
  return direction_table::kNext[static_cast<std::size_t>(d)][static_cast<std::size_t>(s)] != direction_table::kNo;
}

// The step must be legal. An illegal one is a bug of ours and changes nothing.
constexpr void advance(Direction& d, Step s) {
  assert(may(d, s));
  if (may(d, s)) d = direction_table::kNext[static_cast<std::size_t>(d)][static_cast<std::size_t>(s)];
}

}  // namespace albatross
