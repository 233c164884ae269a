// The listeners of one worker: which sockets it accepts from, its clients' connections, and the versions of the
// configuration that they are served by. Worker's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/listen.h"
#include "proxy/listener_slot.h"
#include "proxy/services.h"
#include "session/session.h"

namespace albatross {

// A socket that a worker accepts from, and for which listener.
struct WorkerListen {
  std::string listener;
  int fd = -1;
  bool shared = false;  // one descriptor in every worker (unix sockets)
};

class Listeners final : private ConnectionOwner {
 public:
  // A request begins on a client's connection.
  using OnStream = std::function<void(ListenerSlot& slot, Connection& c, Stream& stream)>;
  // `closed`: a connection has gone.
  Listeners(Services& services, OnStream on_stream, std::function<void(ListenerSlot&)> closed);
  ~Listeners();

  // This worker's matchers of rule sets that are new.
  using Matchers = std::map<const RuleSet*, std::unique_ptr<RuleTable::Matcher>>;
  // New requests are served by this version. Listeners that it does not have are retired; their names are returned.
  std::vector<ListenerSlot*> serve(const Snapshot& snapshot, Matchers& matchers);
  // Accepts from exactly these from now on. What waits at one that is left is taken first, as nobody else will.
  void listen(const std::vector<WorkerListen>& listens);
  // `take_waiting`: as above.
  void stop_listening(bool take_waiting);

  // Null: there is none.
  ListenerSlot* find(const std::string& name);
  // Retired ones, too.
  template <class F>
  void each(F f) {
    for (auto& [name, slot] : slots_) f(*slot);
    for (auto& slot : retired_) f(*slot);
  }
  // Retired ones that are empty, unless `used(slot)`, are gone.
  void sweep(const std::function<bool(const ListenerSlot&)>& used);
  void close_all();
  // Out of descriptors or over the limit: true if a connection was closed.
  bool close_oldest_idle();

  // An exchange runs by this version, until unpin().
  static void pin(ListenerView& view) { ++view.pins; }
  void unpin(ListenerView& view);
  // Versions that are not served any more and that exchanges still run by.
  std::size_t outdated() const { return outdated_; }
  // Listeners that the configuration does not have any more still have connections.
  bool any_retired() const { return !retired_.empty(); }

 private:
  void on_new_stream(Connection& c, Stream& stream) override;
  void on_open(Connection&) override {}
  void on_idle(Connection&) override {}
  void on_closed(Connection& c, const Error& error) override;

  void serve(ListenerSlot& slot, const std::shared_ptr<const ListenerRuntime>& listener, Matchers& matchers);
  bool may_accept(Acceptor& acceptor);
  void accept(ListenerSlot& slot, int fd, const SocketAddress& peer);

  Services& services_;
  OnStream on_stream_;
  std::function<void(ListenerSlot&)> closed_;
  std::unordered_map<std::string, std::unique_ptr<ListenerSlot>> slots_;
  std::vector<std::unique_ptr<ListenerSlot>> retired_;  // their listeners have gone, connections remain
  struct Listening {
    std::unique_ptr<Acceptor> acceptor;
    ListenerSlot* slot = nullptr;
    bool wanted = false;
  };
  std::map<int, std::unique_ptr<Listening>> listening_;  // by descriptor
  std::size_t connections_ = 0;
  std::size_t outdated_ = 0;
};

}  // namespace albatross
