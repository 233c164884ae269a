// Requests that meet conditions, built from the conditions. Any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "lint/explain.h"

namespace albatross {

// Texts that the pattern matches, and differ in what its free parts stand for. Empty if none was found, which may be
// so for a regex.
std::vector<std::string> witnesses(const config::Pattern& pattern);

// Seconds since 1970 around the edges of the window: at most of them it is open. The first is one at which it is open,
// if there is any.
std::vector<std::string> witnesses(const config::TimeWindow& window);

// A request in parts, to which conditions can be applied one after another.
struct Draft {
  std::string method = "GET", host = "example.com", path = "/", from;
  std::map<std::string, std::string> headers, cookies, query;
  std::optional<std::string> sni, alpn;  // absent: as a client would that asks for the host
  Nanos wall = 0;                        // 0: now

  // Makes the part that the condition checks `value`; for kSourceIp, an address; for kTime, seconds since 1970.
  void set(const config::Condition& condition, const std::string& value);
  ExplainRequest request(const config::Listener& listener) const;
};

// A request that meets the conditions, as far as one can be built from them; `not` is left to chance.
std::optional<ExplainRequest> witness(const config::Listener& listener,
                                      const std::vector<config::Condition>& conditions);

}  // namespace albatross
