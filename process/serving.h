// The data that the parts of the Process share: the configuration and snapshot in force, the sockets, the workers.
// Owned by the Process; control thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event.h"
#include "process/sockets.h"
#include "process/workers.h"
#include "proxy/snapshot.h"

namespace albatross {

struct Serving {
  Serving(boost::asio::io_context& asio, const Clock& c, int workers_wanted)
      : io(asio), clock(c), sockets(workers_wanted), workers(asio) {}

  boost::asio::io_context& io;
  const Clock& clock;
  EventLog log;
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const Snapshot> snapshot;  // null: not started yet
  Sockets sockets;
  Workers workers;

  // Makes each worker accept from exactly the sockets that are open.
  void listen() {
    for (int i = 0; i < static_cast<int>(workers.size()); ++i) {
      workers.post(i, [listens = sockets.of_worker(*snapshot, i)](Worker& w) { w.listen(listens); });
    }
  }
};

}  // namespace albatross
