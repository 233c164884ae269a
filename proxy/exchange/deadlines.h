// The deadlines of one exchange (PRODUCT §2). Pure: the exchange has one timer, armed for the nearest, and asks what is
// due. Nanoseconds of the loop's clock; 0: none.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace albatross {

struct Deadlines {
  Nanos body = 0;       // the gap in the request's body
  Nanos response = 0;   // the answer's head, then the gap in its body
  Nanos answer_by = 0;  // the head, whatever the try
  Nanos one_try = 0;    // of the try under way
  Nanos queue = 0;      // room on a server
  Nanos total = 0;      // everything
  Nanos grpc = 0;       // the client's grpc-timeout; part of total
  Nanos body_began = 0;

  // ~0: none.
  Nanos first() const {
    Nanos first = ~Nanos{0};
    for (Nanos d : {body, response, total, one_try, queue}) {
      if (d != 0) first = std::min(first, d);
    }
    return first;
  }
  static bool due(Nanos deadline, Nanos now) { return deadline != 0 && now >= deadline; }

  void limit_total(Nanos by) { total = total == 0 ? by : std::min(total, by); }
  // The client sends its body: it has `gap` for the next piece.
  void body_moves(Nanos now, Nanos gap) {
    if (body_began == 0) body_began = now;
    body = now + gap;
  }
  // Less came than a client in good faith sends, `gap` after it began.
  bool body_too_slow(Nanos now, Nanos gap, std::uint64_t received) const {
    constexpr std::uint64_t kMinBytesPerSecond = 240;
    const Nanos took = now - body_began;
    return body_began != 0 && took > gap && received * kSecond < kMinBytesPerSecond * took;
  }
  // One deadline over all tries, and perhaps (0: none) one for each.
  void limit_tries(Nanos now, Nanos per_try) {
    if (answer_by == 0) answer_by = response;
    response = answer_by;
    if (per_try != 0) one_try = now + per_try;
  }
  void answered() { body = response = 0; }
};

}  // namespace albatross
