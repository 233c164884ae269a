// A rule's actions, compiled: the edits of the request in their order, the action that answers it, and its limits and
// timers.
//
// Built once for each configuration on the builder thread, then const and shared by all workers, except for the weights
// of ForwardTarget.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "http/uri.h"
#include "routing/balancing/server_table.h"
#include "routing/rules/rule_table.h"
#include "routing/rules/template.h"

namespace albatross {

using config::SameSite;

// A route's timers: its rule's, or else the listener's. 0: none.
struct RouteTimeouts {
  Nanos request_body = 0;
  Nanos response = 0;
  Nanos send = 0;
  Nanos total = 0;
  Nanos tunnel = 0;
  friend bool operator==(const RouteTimeouts&, const RouteTimeouts&) = default;
};

// One change of a request's head.
struct Edit {
  enum class Kind : std::uint8_t { kInsert, kRemove, kRewrite };
  Kind kind = Kind::kInsert;
  std::string name;
  HeaderId id = HeaderId::kOther;
  Template value;
  std::optional<Template> host, path, query;  // kRewrite
};

// A server group that a route forwards to, and its share.
struct ForwardTarget {
  std::shared_ptr<GroupSlot> slot;  // held so that the id is not reused
  std::uint32_t group = 0;          // its id
  std::uint32_t file_weight = 0;
  // An operator may change it on the running process. Written by the control thread.
  mutable std::atomic<std::uint32_t> weight = 0;

  ForwardTarget(std::shared_ptr<GroupSlot> s, std::uint32_t w)
      : slot(std::move(s)), group(slot->id), file_weight(w), weight(w) {}
  ForwardTarget(const ForwardTarget& o)
      : slot(o.slot), group(o.group), file_weight(o.file_weight), weight(o.weight.load()) {}
  ForwardTarget& operator=(const ForwardTarget&) = delete;
};

// The limits and timers of a route. Routes with equal ones share an object.
struct RouteSettings {
  RouteTimeouts timeouts;
  std::uint64_t body_limit = ~std::uint64_t{0};  // bytes of a request's body
  std::uint64_t body_rate = 0;                   // the fewest bytes of it in a second; 0: any rate
  bool drop_underscored = false;                 // trailers whose names have a `_` are dropped
  friend bool operator==(const RouteSettings&, const RouteSettings&) = default;
};

// The members that most requests use come first and share a cache line, so that ten thousand routes cost no more than
// ten.
struct alignas(64) Route {
  enum class Answer : std::uint8_t { kForward, kRedirect, kFixedResponse };

  Answer answer = Answer::kForward;
  bool one_target = false;   // targets has one element, whose group is first_group
  bool watched = false;      // a rollout compares the targets
  std::uint16_t code = 200;  // redirect, fixed response
  std::uint32_t first_group = 0;
  const RouteSettings* settings = nullptr;  // owned by the listener's Routes
  std::vector<Edit> edits;

  std::vector<ForwardTarget> targets;
  Nanos sticky = 0;  // how long a client stays on its group; 0: not sticky
  SameSite samesite = SameSite::kLax;
  std::string sticky_cookie;  // the name of the cookie for that
  std::string rule;           // the rule's name; "" for the default actions
  std::string address;        // "LISTENER/RULE" or "LISTENER/default"

  std::optional<Template> to_protocol, to_host, to_port, to_path, to_query;  // redirect; absent: as the client sent it
  std::string content_type;                                                  // fixed response
  std::string body;
};

// A listener's routes.
struct Routes {
  std::vector<Route> all;  // one for each rule, in order, then that of the default actions
  std::vector<std::unique_ptr<const RouteSettings>> settings;
  std::vector<std::string> header_names;  // without a `_`, that rules read or edit: in lower case, sorted
  bool look_at_tls = false;               // conditions on SNI or ALPN
};

// Compiles the actions of `listener`, whose path is `path`: "listeners[0]". Errors in templates go to `out`. Groups get
// their ids from `table`.
Routes compile_routes(const config::Listener& listener, const std::string& path, ServerTable& table,
                      config::Diagnostics& out);

// The URL that a redirect sends the client to, in the arena. Without a port if it is the protocol's usual one.
std::string_view redirect_location(const Route& route, const TemplateValues& values, Arena& arena);

// Applies the edits to a request's fields, authority, path and query. A new path is normalised (http/uri.h); the
// refusal is that of the path, or kInternal for a new host that is not valid.
Refusal apply_edits(const Route& route, const TemplateValues& values, EncodedSlash slashes, Head& head);

}  // namespace albatross
