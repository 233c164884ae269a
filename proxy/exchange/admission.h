// The steps of every request before the rules see it: identity, normalisation, loop check, forwarding fields. Free
// functions on a request's head; their results live in the exchange's arena. Worker's thread.
#pragma once

#include "http/framing.h"
#include "http/head.h"
#include "proxy/exchange/request.h"
#include "proxy/services.h"
#include "proxy/snapshot.h"
#include "session/connection.h"

namespace albatross {

// Keeps X-Request-Id and traceparent (W3C Trace Context) if they are valid, else makes new ones.
void identify(Services& services, Head& head, Arena& arena, Account& account);

// Normalises the path, refuses hosts that the certificate does not cover (421), and counts passes through this proxy
// (463). The refusal's cause is kNone if the request may go on.
Refusal admit(Services& services, const ListenerRuntime& listener, Connection& client, Head& head, Arena& arena);

// Returns the client's address by the listener's policy, and sets the URL that the client is believed to have used and
// the forwarding fields for the server.
// A copy of the request if it asks for an explanation; else null. To be called before its fields are changed.
std::unique_ptr<AskedRequest> asked_request(const ListenerRuntime& listener, const Request& r);
// What the answer's field says: "rule=web/api, group=blue, server=10.0.0.1:80".
std::string_view explanation(const Account& account, Arena& arena);

IpAddress forward_identity(const ListenerRuntime& listener, Request& r);

}  // namespace albatross
