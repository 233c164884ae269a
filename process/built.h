// What a build makes and install() takes. Internal to Server.
#pragma once

#include "process/process.h"

namespace albatross {

struct Process::Built {
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::unique_ptr<WorkerSnapshot>> workers;
  std::vector<ProbeTarget> probes;
};

}  // namespace albatross
