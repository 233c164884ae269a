// How much one HTTP/2 peer may ask for: a token bucket with a refill rate per second. A well-behaved peer does not
// reach the limits. A value of one connection; one thread.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace albatross {

class Budget {
 public:
  constexpr Budget(double burst, double per_second) : left_(burst), burst_(burst), rate_(per_second) {}

  // Takes a token. False if none is left.
  bool take(Nanos now) {
    if (now > at_) {
      if (at_ != 0) left_ = std::min(burst_, left_ + static_cast<double>(now - at_) / 1e9 * rate_);
      at_ = now;
    }
    left_ -= 1;
    return left_ >= 0;
  }
  void give() { left_ = std::min(burst_, left_ + 1); }

 private:
  double left_, burst_, rate_;
  Nanos at_ = 0;
};

}  // namespace albatross
