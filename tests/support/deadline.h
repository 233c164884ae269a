// Waiting in tests: always for a condition, always with a time limit.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>

namespace albatross::test {

using Ms = std::chrono::milliseconds;

// How long a test waits for an expected event; sanitizers are slow, so this is generous.
constexpr Ms kPatience{10'000};

class Deadline {
 public:
  explicit Deadline(Ms patience = kPatience) : at_(std::chrono::steady_clock::now() + patience) {}
  int left_ms() const {
    const auto left = std::chrono::duration_cast<Ms>(at_ - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::max<Ms::rep>(0, left));
  }
  bool over() const { return left_ms() == 0; }

 private:
  std::chrono::steady_clock::time_point at_;
};

// Polls until the condition holds; false if it does not within `patience`.
template <class Condition>
bool eventually(Condition condition, Ms patience = kPatience) {
  const Deadline deadline(patience);
  while (!condition()) {
    if (deadline.over()) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

// How long something took.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace albatross::test
