// What the process serves by, and with: shared by the parts of Process. Owned by Process; control thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "process/sockets.h"
#include "process/workers.h"
#include "proxy/snapshot.h"

namespace albatross {

struct Serving {
  Serving(boost::asio::io_context& asio, const Clock& c, int workers_wanted)
      : io(asio), clock(c), sockets(workers_wanted), workers(asio) {}

  boost::asio::io_context& io;
  const Clock& clock;
  std::function<void(const std::string&)> log;  // an event, one line
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const Snapshot> snapshot;  // null: not started
  Sockets sockets;
  Workers workers;

  // Each worker accepts from exactly what is open.
  void listen() {
    for (int i = 0; i < static_cast<int>(workers.size()); ++i) {
      workers.post(i, [listens = sockets.of_worker(*snapshot, i)](Worker& w) { w.listen(listens); });
    }
  }
};

}  // namespace albatross
