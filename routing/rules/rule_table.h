// A listener's rules, compiled: which route answers a request.
//
// A RuleTable is built once for each configuration on the builder thread, then const and shared. Each worker has a
// Matcher of its own, which holds what must not be shared: RE2 objects, whose DFA cache has a lock, and scratch memory.
// Rules with literals and prefixes cost the same whether there are ten or ten thousand: hosts are looked up in a hash
// and a suffix trie, paths in a segment trie, and other conditions are checked only for the candidates that are left.
// Regexes that do not begin with a literal are matched as RE2::Sets. If RE2 runs out of memory, patterns are matched
// one by one, which is counted; it never means "no match".
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/ip.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "http/head.h"

namespace albatross {

// The parts of a request that conditions check: views into the exchange's arena. A port after the host is ignored.
struct RouteQuery {
  std::string_view host;
  std::string_view path;   // normalised
  std::string_view query;  // without "?"
  std::string_view method;
  const Fields* fields = nullptr;
  IpAddress source;
  std::string_view sni{};   // of the client's TLS connection; empty: none
  std::string_view alpn{};  // the same
  Nanos wall = 0;           // when it began
};

// The values of ${1} to ${9}: views into RouteQuery::path. Groups that are not set are empty.
struct Captures {
  static constexpr int kMax = 9;
  std::string_view group[kMax];
};

struct RouteMatch {
  std::uint32_t rule = 0;  // index into config::Listener::rules; rules.size(): the default actions
  Captures captures;
};

class RuleTable {
 public:
  class Matcher {
   public:
    virtual ~Matcher() = default;
    // The first rule that matches, or the default actions. Does not allocate in the steady state.
    virtual RouteMatch match(const RouteQuery& query) = 0;
    // How often a set of regexes ran out of memory and was matched one by one.
    virtual std::uint64_t regex_fallbacks() const = 0;
  };

  // Null if RE2 refuses a regex, with an error in `out` at the pattern's place. `path` names the listener:
  // "listeners[2]".
  static std::shared_ptr<const RuleTable> compile(const config::Listener& listener, const std::string& path,
                                                  config::Diagnostics& out);

  virtual ~RuleTable() = default;
  virtual std::unique_ptr<Matcher> make_matcher() const = 0;
};

// Whether one condition holds for one request, evaluated directly. This is the specification of the table above: tests
// compare the two with random rules.
bool matches(const config::Condition& condition, const RouteQuery& query);

}  // namespace albatross
