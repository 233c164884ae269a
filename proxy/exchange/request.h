// The data that the phases of one exchange share: the received part of the request, and what is known about it. A
// member of an Exchange; worker's thread.
#pragma once

#include "base/arena.h"
#include "http/forwarded.h"
#include "proxy/exchange/account.h"
#include "proxy/exchange/deadlines.h"
#include "proxy/exchange/request_body.h"
#include "proxy/services.h"
#include "routing/rules/route.h"
#include "session/connection.h"
#include "session/stream.h"

namespace albatross {

enum class Phase : std::uint8_t {
  kReceive,  // it waits for the head
  kConnect,  // it waits for room or for a connection
  kForward,  // a server has it
  kRespond,  // the answer's head has been sent
  kTunnel,
  kAnswered,  // the whole answer was given to the client's stream and may still be waiting to be sent
  kOver,
};

struct Request {
  explicit Request(Services& s) : services(s), body(s.loop.blocks()) {}

  Nanos now() const { return services.now(); }
  const RouteTimeouts& timeouts() const { return settings->timeouts; }
  // Whether the client uses https, as this connection or the first trusted proxy says.
  bool secure() const { return believed.scheme == "https"; }

  Services& services;
  Arena arena;  // holds what the views below refer to; account.h names the exceptions
  Account account;
  Deadlines deadlines;
  Head head;
  RequestBody body;
  Connection* client = nullptr;
  Stream* down = nullptr;                   // the client's stream; null once it is over
  const RouteSettings* settings = nullptr;  // null: no rule has matched yet
  Believed believed;
  Phase phase = Phase::kOver;
  bool grpc = false;
  bool explained = false;  // the answer says who gave it
};

}  // namespace albatross
