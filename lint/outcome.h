// What a rule does with a request, in words that can be compared. Any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/config.h"

namespace albatross {

// Aspects and their texts, always the same aspects in the same order: {"rule", "web/api"}, {"answer", "forward blue"},
// {"edits", "rewrite path /v2"}, {"timeouts", "response 60s, send 60s"}, {"limits", "body 1MiB"}.
using Outcome = std::vector<std::pair<std::string, std::string>>;

// Of the rule with that index; of the default actions for rules.size().
Outcome outcome(const config::Listener& listener, std::size_t rule);
// Of a request that never gets to the rules.
Outcome refused(const std::string& why);

}  // namespace albatross
