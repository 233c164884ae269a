// The exceptions of the test bed. A test that does not expect one fails with its text.
#pragma once

#include <stdexcept>
#include <string>

namespace albatross::test {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// A message that no client could read.
struct BadMessage : Failure {
  using Failure::Failure;
};
// The stream ended within a message.
struct Truncated : Failure {
  using Failure::Failure;
};
// The connection was reset within a message.
struct WasReset : Truncated {
  using Truncated::Truncated;
};
// Nothing came in time.
struct TimedOut : Failure {
  using Failure::Failure;
};

}  // namespace albatross::test
