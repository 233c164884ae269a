// What every request must pass before rules see it: identity, normalisation, loops, forwarding fields. Free functions
// on a request's head; what they make lives in the exchange's arena. Worker's thread.
#pragma once

#include "http/framing.h"
#include "http/head.h"
#include "proxy/exchange/request.h"
#include "proxy/services.h"
#include "proxy/snapshot.h"
#include "session/connection.h"

namespace albatross {

// X-Request-Id and traceparent: kept if sound, else made (W3C Trace Context).
void identify(Services& services, Head& head, Arena& arena, Account& account);

// Normalises the path; 421; counts passes through this proxy (463). The refusal's cause is kNone if it may go on.
Refusal admit(Services& services, const ListenerRuntime& listener, Connection& client, Head& head, Arena& arena);

// Who the client is and what URL it has, by the listener's policy, and the forwarding fields that the server gets
// (PRODUCT §3).
IpAddress forward_identity(const ListenerRuntime& listener, Request& r);

}  // namespace albatross
