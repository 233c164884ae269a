// A rule's actions, compiled: edits in order, then what answers. And the settings a request on this route runs under.
//
// Built once per configuration, const, shared; everything that could be decided at load time has been.
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

// A route's timers: the listener's as far as its rule has none of its own. 0: none.
struct RouteTimeouts {
  Nanos request_body = 0;
  Nanos response = 0;
  Nanos send = 0;
  Nanos total = 0;
  Nanos tunnel = 0;
  friend bool operator==(const RouteTimeouts&, const RouteTimeouts&) = default;
};

struct Edit {
  enum class Kind : std::uint8_t { kInsert, kRemove, kRewrite };
  Kind kind = Kind::kInsert;
  std::string name;
  HeaderId id = HeaderId::kOther;
  Template value;
  std::optional<Template> host, path, query;  // kRewrite
};

struct ForwardTarget {
  std::shared_ptr<GroupSlot> slot;  // which keeps the id taken
  std::uint32_t group = 0;          // its id
  std::uint32_t file_weight = 0;
  // An operator may shift it on the running process: the one thing here that changes. Written by the control thread.
  mutable std::atomic<std::uint32_t> weight = 0;

  ForwardTarget(std::shared_ptr<GroupSlot> s, std::uint32_t w)
      : slot(std::move(s)), group(slot->id), file_weight(w), weight(w) {}
  ForwardTarget(const ForwardTarget& o)
      : slot(o.slot), group(o.group), file_weight(o.file_weight), weight(o.weight.load()) {}
  ForwardTarget& operator=(const ForwardTarget&) = delete;
};

// What a route runs under. Routes that agree share one.
struct RouteSettings {
  RouteTimeouts timeouts;
  std::uint64_t body_limit = ~std::uint64_t{0};
  friend bool operator==(const RouteSettings&, const RouteSettings&) = default;
};

// What most requests look at comes first and fits a cache line: ten thousand routes should cost what ten do.
struct alignas(64) Route {
  enum class Answer : std::uint8_t { kForward, kRedirect, kFixedResponse };

  Answer answer = Answer::kForward;
  bool one_target = false;   // targets has one element, whose group is first_group
  std::uint16_t code = 200;  // redirect, fixed response
  std::uint32_t first_group = 0;
  const RouteSettings* settings = nullptr;  // owned by the listener's Routes
  std::vector<Edit> edits;

  std::vector<ForwardTarget> targets;
  Nanos sticky = 0;           // 0: not sticky
  std::string sticky_cookie;  // its name, per rule
  std::string rule;           // its name; "" for the default actions
  std::string address;        // "LISTENER/RULE", "LISTENER/default"

  std::optional<Template> to_protocol, to_host, to_port, to_path, to_query;
  std::string content_type;
  std::string body;
};

struct Routes {
  std::vector<Route> all;  // the rules' in order, then the default's
  std::vector<std::unique_ptr<const RouteSettings>> settings;
};

// Template errors go to `out`; `path` names the listener for them. Groups are those of `table`.
Routes compile_routes(const config::Listener& listener, const std::string& path, ServerTable& table,
                      config::Diagnostics& out);

// The URL of a redirect, in the arena.
std::string_view redirect_location(const Route& route, const TemplateValues& values, Arena& arena);

// Applies the edits to a request: fields, authority, path, query. A rewritten path is normalised again.
Refusal apply_edits(const Route& route, const TemplateValues& values, EncodedSlash slashes, Head& head);

}  // namespace albatross
