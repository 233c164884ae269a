// Why a rule does not match a request: its first condition that fails, in words. By the plain evaluation of
// rule_table.h's matches(), which is also what tests compare the compiled table to. Not for the request path: it
// compiles regexes anew. Any thread.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "routing/rules/rule_table.h"

namespace albatross {

// A condition that does not hold.
struct Mismatch {
  const config::Condition* condition = nullptr;  // of the rule
  std::string wanted;                            // "path is /v1/* or begins with /v2"
  std::string found;                             // "/v3/x", "none"
};

// The first condition of the rule that does not hold for the request; nullopt if all hold.
std::optional<Mismatch> first_mismatch(const config::Rule& rule, const RouteQuery& query);

// The condition in words: "host is a.example or *.b.example", "not (method is GET)".
std::string to_text(const config::Condition& condition);
// A pattern as the shorthand writes it; a prefix as "/v2 and below".
std::string to_text(const config::Pattern& pattern);

}  // namespace albatross
