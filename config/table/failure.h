// The part of a server group's table that is about failures: limits, queue, circuit breaker, retries. Threads as in
// table.h.
#pragma once

#include "config/table/type.h"

namespace albatross::config {

using Codes = std::pair<std::uint16_t, std::uint16_t>;
Type<Codes> status_codes();  // `2xx`, `204` or `200-399`: the first and the last code

const Object<CircuitBreaker>& circuit_breaker_table();
const Object<Retries>& retries_table();
const Object<Queue>& queue_table();
// Adds these keys to the table of a server group.
void add_failure_fields(Object<ServerGroup>& t);

}  // namespace albatross::config
