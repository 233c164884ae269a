// Chooses where a request goes: its group, by weight or by the client's cookie, and the key or cookie that selects its
// server. Also the cookies that keep a client there. Free functions; worker's thread.
#pragma once

#include "base/arena.h"
#include "http/head.h"
#include "proxy/services.h"
#include "proxy/snapshot.h"

namespace albatross {

struct GroupChoice {
  std::uint32_t group = 0;   // GroupSlot::id
  bool set_cookie = false;   // the answer gives the client a cookie that keeps it on the group
  std::uint32_t target = 0;  // the index in the route's targets
};
GroupChoice choose_group(Services& services, const Route& route, const Head& head);

// The key of the group's hash scheduler. A request without the hashed part gets a random one.
std::uint64_t server_key(Services& services, const HashSource& by, const Head& head, std::string_view client);
// The index of the server that the client's cookie names, or Balancer::kNone.
int sticky_server(const GroupRuntime& group, const Head& head);

// Adds the cookie that keeps the client on the group.
void add_group_cookie(const Route& route, std::string_view group, bool secure, Arena& arena, Head& head);
// Adds the cookie that keeps the client on the server. If the group is sticky by an application's cookie, only to an
// answer that sets that cookie.
void add_server_cookie(const GroupRuntime& group, int candidate, bool secure, Arena& arena, Head& head);

}  // namespace albatross
