#include "config/lint_ids.h"

namespace albatross::config {

const std::vector<std::string>& lint_ids() {
  static const std::vector<std::string> ids = {
      "cert-cascade",  "cert-expiring", "cloud-missing",   "cloud-quota",      "cross-zone",       "drain-shorter",
      "group-unused",  "idle-longer",   "name-unresolved", "no-reuse",         "one-zone",         "probe-multiplier",
      "redirect-loop", "redirect-port", "rule-impossible", "rule-shadowed",    "scaling-cooldown", "shutdown-short",
      "static-files",  "timeout-trap",  "tls-old",         "trusted-everyone", "weights-zero",     "zone-headroom"};
  return ids;
}

}  // namespace albatross::config
