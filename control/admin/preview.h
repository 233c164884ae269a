// POST /v1/reload?dry_run: what a reload would do to requests. Free function; builder thread.
#pragma once

#include "control/admin/verbs.h"
#include "process/config_source.h"

namespace albatross {

// 200 {"ok": true, "diff": lint/diff.h's result}, or 422 {"ok": false, "message", "diagnostics"} for a file with
// errors.
ControlReply compare(const config::Config& now, const ConfigSource::Read& next);

}  // namespace albatross
