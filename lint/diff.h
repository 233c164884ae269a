// What a change of the configuration does to requests: by behaviour, not by text. Any thread.
//
// Requests are built from the conditions of both configurations, alone and combined, and asked of both compiled tables.
// Each pair of rules whose outcomes differ is one difference, with the first request that showed it. An access log adds
// the requests of real clients, and how many there are of each difference.
#pragma once

#include <istream>
#include <nlohmann/json.hpp>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross {

// Both configurations are free of errors; those that only compiling finds go to `out`, and the result is null then.
// `log`: lines of JSON as the access log has them; null: none. The result has
//   routes: [{listener, request: {method, url, headers, from}, before, after, changed: [...], requests}], of the
//     outcomes (lint/outcome.h); `requests` counts those of the log, and the list is sorted by it;
//   listeners, groups: {added, removed, changed: [{name, what}]};
//   log: {requests, changed, broken, first_broken_line}, if there is one.
nlohmann::ordered_json diff(const config::Config& before, const config::Config& after, std::istream* log,
                            config::Diagnostics& out);

}  // namespace albatross
