// The values that conditions tell apart: for each part of a request (host, path, one header …) one value for each way
// in which the conditions of two tables can see it. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "lint/witness.h"

namespace albatross {

struct RequestPart {
  const config::Condition* about = nullptr;        // a condition on it: kind and name
  std::vector<std::optional<std::string>> values;  // nullopt: the request does not have it

  // Makes the part of the draft that value.
  void set(Draft& draft, std::size_t value) const {
    if (values[value]) draft.set(*about, *values[value]);
  }
};

// The parts that the rules of the two listeners look at. Empty if they have so many conditions that this takes long.
std::vector<RequestPart> request_parts(const config::Listener& before, const config::Listener& after);

}  // namespace albatross
