// The listening sockets of the process. They are kept by address, so a listener that is renamed, or two that swap their
// ports, keep theirs. There is one socket for each worker (for unix sockets one for all); workers get the descriptors.
// Owned by Serving; control thread.
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
    std::vector<ListenSocket> sockets;  // fd -1: the listener is drained, and the address is kept
  };
  using Map = std::map<std::string, Open>;  // by key

  explicit Sockets(int workers) : workers_(workers) {}

  // The key of a listener's sockets: its address, and its name, too, if the kernel chooses the port.
  static std::string key(const config::Listener& listener);

  // To be called before start(): takes the sockets of another process, to be used if the configuration has their
  // address.
  void take(std::vector<HandOver::Listener> from) { taken_ = std::move(from); }
  void close_taken();
  // Opens into `opened` the sockets that the configuration needs and that are not open. Listeners named in `drained`
  // get none. On failure this call's sockets are closed, and `out` says why.
  bool open_missing(const config::Config& config, const std::set<std::string>& drained, Map& opened,
                    config::Diagnostics& out);
  static void close(Map& opened);
  // Adds sockets up to one for each worker. To be called just before the workers accept, since the kernel gives new
  // sockets their share at once.
  bool add_siblings(Map& opened, std::string& error) const;
  // The sockets of `opened` are in use from now on.
  void adopt(Map opened);
  // Forgets the sockets that no listener of `next` uses. They close when the last worker that watches them drops the
  // result.
  std::shared_ptr<void> drop_unwanted(const Snapshot& next);
  // The same for a listener that drains; its address is kept.
  std::shared_ptr<void> leave(const std::string& key);
  bool reopen(const std::string& key, std::string& error);
  void close_all(bool unlink);

  // The sockets that worker `i` accepts from. If the process before this one had more workers, the surplus is
  // distributed.
  std::vector<WorkerListen> of_worker(const Snapshot& snapshot, int i) const;
  // The ports that the listeners of this configuration are bound to, by name.
  std::map<std::string, std::uint16_t> ports(const config::Config& config, const Map& extra) const;
  // Null if it is not known.
  const Open* find(const std::string& key) const;
  // Whether the listener is known and not drained.
  bool is_open(const std::string& key) const;
  // For another process: the sockets of listeners that are not drained.
  std::vector<HandOver::Listener> to_hand_over(const Snapshot& snapshot) const;

 private:
  static bool address_of(const config::Bind& bind, SocketAddress& out, std::string& error);
  std::vector<ListenSocket> taken(const config::Listener& l, const SocketAddress& wanted);

  int workers_;
  Map open_;
  std::vector<HandOver::Listener> taken_;
};

}  // namespace albatross
