// The facts about an exchange that its log line and its counters report. A member of the Request; its phases fill it.
// Its strings live in the exchange's arena, in the client's connection or in the configuration; own() copies those of
// the configuration. Worker's thread.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "base/error.h"
#include "http/head.h"
#include "proxy/services.h"
#include "session/connection.h"

namespace albatross {

struct Account {
  // Nanoseconds of the loop's clock, except began_wall (wall time) and connect_time (a duration). 0: not reached.
  Nanos began = 0;
  Nanos began_wall = 0;
  Nanos try_began = 0;  // when the last try took its server
  Nanos connect_time = 0;
  Nanos head_came = 0;  // the answer's head
  Nanos response_ended = 0;
  std::uint64_t body_received = 0;
  std::uint64_t body_sent = 0;
  std::uint16_t status = 0;
  std::uint16_t upstream_status = 0;
  std::uint8_t attempts = 0;
  bool has_upstream = false;
  Cause termination = Cause::kNone;
  int system = 0;                // an errno that says more, or 0
  const char* detail = nullptr;  // a literal that says more, or null

  std::string_view host;           // as the client sent it
  std::string_view forwarded_for;  // as the client sent it
  std::string_view client;
  std::string_view request_id;
  std::string_view trace_id;
  std::string_view grpc_status;
  std::string_view upstream;
  std::string_view listener;
  std::string_view rule;
  std::string_view group;
  std::string_view failed_tries;  // "10.0.0.1:80 connect_refused, 10.0.0.2:80 503": the tries before the last one

  // Sets the termination, unless an earlier cause is set.
  void ended_by(Cause cause, const Error& error = {}) {
    if (termination != Cause::kNone) return;
    termination = cause;
    detail = error.detail;
    system = error.system;
  }
  // The last try has failed, by `why`, and another one follows.
  void try_failed(std::string_view why, Arena& arena);
  // Copies the strings of the configuration, so that the configuration may be destroyed.
  void own(Arena& arena);
};

// How a request that was forwarded has ended, as a rollout counts it. kFailed: a 5xx or a grpc-status like it, or an
// answer that was cut. A client that leaves is no failure. kNone: this proxy ended it, which says nothing about the
// servers.
enum class Outcome : std::uint8_t { kNone, kGood, kFailed };
Outcome outcome(const Account& account, bool grpc);

// The index of a grpc-status in GroupStats::grpc.
std::size_t grpc_status_index(std::string_view text);

// Writes the record of the access log.
void write_log(Services& services, const Account& a, const Head& request, Connection& client, Nanos now);

}  // namespace albatross
