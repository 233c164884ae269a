// The deadlines of one exchange. A value in its Request, without side effects: the exchange has one timer, which it
// arms for the nearest deadline, and asks what is due. Nanoseconds of the loop's clock; 0: none. Worker's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/clock.h"

namespace albatross {

struct Deadlines {
  Nanos body = 0;       // the next piece of the request's body
  Nanos response = 0;   // the answer's head, then the next piece of its body
  Nanos answer_by = 0;  // the answer's head, over all tries
  Nanos one_try = 0;    // of the try under way
  Nanos queue = 0;      // room on a server, while the request waits in the queue
  Nanos total = 0;      // the whole exchange
  Nanos grpc = 0;       // the client's grpc-timeout; part of total
  Nanos body_began = 0;
  Nanos held_since = 0;  // since when the body waits for the server; 0: it does not wait
  Nanos held = 0;        // how long it has waited before that

  // The nearest deadline; ~0: none.
  Nanos first() const {
    Nanos first = ~Nanos{0};
    for (Nanos d : {body, response, total, one_try, queue}) {
      if (d != 0) first = std::min(first, d);
    }
    return first;
  }
  static bool due(Nanos deadline, Nanos now) { return deadline != 0 && now >= deadline; }

  void limit_total(Nanos by) { total = total == 0 ? by : std::min(total, by); }
  // A piece of the client's body has come: it has `gap` nanoseconds for the next one.
  void body_moves(Nanos now, Nanos gap) {
    if (body_began == 0) body_began = now;
    body = now + gap;
  }
  // The part of the body that has come waits for the server; let_body_go(): it waits no longer.
  void hold_body(Nanos now) {
    if (held_since == 0) held_since = now;
  }
  void let_body_go(Nanos now) {
    if (held_since != 0) held += now - std::exchange(held_since, 0);
  }
  // Whether the body has come at less than `rate` bytes a second (0: any rate). It is judged after `gap`, and after
  // five times `gap` where that is at most 30 s: an average over less says little. Time in which the body waits for the
  // server is not the client's.
  bool body_too_slow(Nanos now, Nanos gap, std::uint64_t rate, std::uint64_t received) const {
    const Nanos grace = std::max(gap, std::min(5 * gap, 30 * kSecond));
    const Nanos took = now - body_began - held - (held_since != 0 ? now - held_since : 0);
    return body_began != 0 && took > grace && received * kSecond < rate * took;
  }
  // Keeps one deadline for the head over all tries, and sets one for this try; per_try 0: none.
  void limit_tries(Nanos now, Nanos per_try) {
    if (answer_by == 0) answer_by = response;
    response = answer_by;
    if (per_try != 0) one_try = now + per_try;
  }
  void answered() { body = response = 0; }
};

}  // namespace albatross
