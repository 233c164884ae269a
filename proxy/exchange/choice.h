// Where a request goes: its group by weight or by the client's cookie, and what decides on the server. Also the cookies
// that keep a client there. Free functions; worker's thread.
#pragma once

#include "base/arena.h"
#include "http/head.h"
#include "proxy/services.h"
#include "proxy/snapshot.h"

namespace albatross {

struct GroupChoice {
  std::uint32_t group = 0;  // GroupSlot::id
  bool set_cookie = false;  // the client is to be kept on it
};
GroupChoice choose_group(Services& services, const Route& route, const Head& head);

// What the group's hash scheduler goes by. A request without it may go anywhere.
std::uint64_t server_key(Services& services, const HashSource& by, const Head& head, std::string_view client);
// The candidate that the client's cookie names; Balancer::kNone.
int sticky_server(const GroupRuntime& group, const Head& head);

// Keeps the client on the group.
void add_group_cookie(const Route& route, std::string_view group, bool secure, Arena& arena, Head& head);
// Keeps the client on the server, if the group is sticky. With the application's cookie: from the answer that sets that
// one.
void add_server_cookie(const GroupRuntime& group, int candidate, bool secure, Arena& arena, Head& head);

}  // namespace albatross
