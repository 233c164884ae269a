// What a group does when it is full or fails: part of the field table of table_group.cc.
#pragma once

#include "config/table/type.h"

namespace albatross::config {

using Codes = std::pair<std::uint16_t, std::uint16_t>;
Type<Codes> status_codes();  // 2xx, 204 or 200-399, as first and last

const Object<CircuitBreaker>& circuit_breaker_table();
const Object<Retries>& retries_table();
const Object<Queue>& queue_table();
void add_failure_fields(Object<ServerGroup>& t);

}  // namespace albatross::config
