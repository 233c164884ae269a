#include "config/lint_ids.h"

namespace albatross::config {

const std::vector<std::string>& lint_ids() {
  static const std::vector<std::string> ids = {
      "cert-expiring", "drain-shorter",    "no-reuse",        "one-zone",      "probe-multiplier",
      "redirect-loop", "redirect-port",    "rule-impossible", "rule-shadowed", "shutdown-short",
      "tls-old",       "trusted-everyone", "zone-headroom"};
  return ids;
}

}  // namespace albatross::config
