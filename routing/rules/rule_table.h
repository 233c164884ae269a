// A listener's rules, compiled: which route answers a request.
//
// A RuleTable is built once per configuration on the builder thread and is then const and shared. Each worker asks it
// for a Matcher of its own, which holds what must not be shared (RE2 objects, whose DFA cache has a lock, and scratch
// memory). Literal and prefix rules cost the same whether there are ten or ten thousand: hosts in a hash and a suffix
// trie, paths in a segment trie, the remaining conditions only for candidates that are left; regexes by RE2::Set per
// host bucket behind their required literals. RE2 running out of memory means matching pattern by pattern, counted,
// never "no match".
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/ip.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "http/head.h"

namespace albatross {

// What conditions look at. Views into the exchange's arena; host may carry a port, which does not count.
struct RouteQuery {
  std::string_view host;
  std::string_view path;   // normalised
  std::string_view query;  // without "?"
  std::string_view method;
  const Fields* fields = nullptr;
  IpAddress source;
};

// ${1}..${9}: views into RouteQuery::path. Unset groups are empty.
struct Captures {
  static constexpr int kMax = 9;
  std::string_view group[kMax];
};

struct RouteMatch {
  std::uint32_t rule = 0;  // index into config::Listener::rules; rules.size() means the default actions
  Captures captures;
};

class RuleTable {
 public:
  class Matcher {
   public:
    virtual ~Matcher() = default;
    // No allocation in the steady state. Never fails: without a matching rule, the default's index.
    virtual RouteMatch match(const RouteQuery& query) = 0;
    // Times that a regex set ran out of memory and was matched one by one.
    virtual std::uint64_t regex_fallbacks() const = 0;
  };

  // Compiles; a regex that RE2 refuses is an error at the pattern's place. Null if there was one.
  // `path` names the listener for messages: "listeners[2]".
  static std::shared_ptr<const RuleTable> compile(const config::Listener& listener, const std::string& path,
                                                  config::Diagnostics& out);

  virtual ~RuleTable() = default;
  virtual std::unique_ptr<Matcher> make_matcher() const = 0;
};

// One condition against one request, the plain way. The specification of the table above, and what `explain` prints
// from: tests compare the two over random rules.
bool matches(const config::Condition& condition, const RouteQuery& query);

}  // namespace albatross
