// What is known of an exchange when it is over: what its log line and its counters say. Filled by the phases; its
// strings live in the exchange's arena, in its client's connection or in the configuration (own() makes copies of
// those). Worker's thread.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "base/error.h"
#include "http/head.h"
#include "proxy/services.h"
#include "session/connection.h"

namespace albatross {

struct Account {
  // Nanoseconds of the loop's clock; 0: not reached.
  Nanos began = 0;
  Nanos began_wall = 0;
  Nanos try_began = 0;  // of the last try
  Nanos connect_time = 0;
  Nanos response_ended = 0;
  std::uint64_t body_received = 0;
  std::uint64_t body_sent = 0;
  std::uint16_t status = 0;
  std::uint16_t upstream_status = 0;
  std::uint8_t attempts = 0;
  bool has_upstream = false;
  Cause termination = Cause::kNone;

  std::string_view host;           // as the client sent it
  std::string_view forwarded_for;  // likewise
  std::string_view client;
  std::string_view request_id;
  std::string_view trace_id;
  std::string_view grpc_status;
  std::string_view upstream;
  std::string_view listener;
  std::string_view rule;
  std::string_view group;

  // The first cause stands.
  void ended_by(Cause cause) {
    if (termination == Cause::kNone) termination = cause;
  }
  // Strings of the configuration are copied: it may go.
  void own(Arena& arena);
};

// Index into GroupStats::grpc.
std::size_t grpc_status_index(std::string_view text);

// The access log's line.
void write_log(Services& services, const Account& a, const Head& request, Connection& client, Nanos now);

}  // namespace albatross
