// The process's listening sockets, by address: a listener that is renamed, or two that swap their ports, keep theirs.
// One socket for each worker (unix sockets: one for all), handed to the workers as descriptors. Control thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "net/listen.h"
#include "process/hand_over.h"
#include "proxy/listeners.h"
#include "proxy/snapshot.h"

namespace albatross {

class Sockets {
 public:
  struct Open {
    SocketAddress wanted;
    std::vector<ListenSocket> sockets;  // fd -1: drained, the address is kept
  };
  using Map = std::map<std::string, Open>;  // by key

  explicit Sockets(int workers) : workers_(workers) {}

  // What tells a listener's socket from others: its address, and its name too where the kernel chooses the port.
  static std::string key(const config::Listener& listener);

  // Before start(): sockets of another process, used where the configuration wants them.
  void take(std::vector<HandOver::Listener> from) { taken_ = std::move(from); }
  void close_taken();
  // Opens what the configuration wants and is not open, into `opened`; those that `drained` names get no socket. On
  // failure what this call opened is closed, and `out` says why.
  bool open_missing(const config::Config& config, const std::set<std::string>& drained, Map& opened,
                    config::Diagnostics& out);
  static void close(Map& opened);
  // One for each worker. Not before they are about to accept: the kernel gives the new ones their share at once.
  bool add_siblings(Map& opened, std::string& error) const;
  // They are in use from now on.
  void adopt(Map opened);
  // Forgets those that no listener of `next` wants. They close when the result is dropped: when the last worker has
  // left them.
  std::shared_ptr<void> drop_unwanted(const Snapshot& next);
  // Forgets the sockets of a listener that drains, but not its address. The same.
  std::shared_ptr<void> leave(const std::string& key);
  bool reopen(const std::string& key, std::string& error);
  void close_all(bool unlink);

  // Everything that worker `i` accepts from. It adopts the surplus of a process that had more workers.
  std::vector<WorkerListen> of_worker(const Snapshot& snapshot, int i) const;
  // The ports that listeners of this configuration are bound to, by name.
  std::map<std::string, std::uint16_t> ports(const config::Config& config, const Map& extra) const;
  // Null: not known.
  const Open* find(const std::string& key) const;
  // Known, and not drained.
  bool is_open(const std::string& key) const;
  // For another process: those that are not drained.
  std::vector<HandOver::Listener> to_hand_over(const Snapshot& snapshot) const;

 private:
  static bool address_of(const config::Bind& bind, SocketAddress& out, std::string& error);
  std::vector<ListenSocket> taken(const config::Listener& l, const SocketAddress& wanted);

  int workers_;
  Map open_;
  std::vector<HandOver::Listener> taken_;
};

}  // namespace albatross
