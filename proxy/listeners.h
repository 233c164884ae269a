// The listeners of one worker: the sockets that it accepts from, its clients' connections, and the versions of
// configuration that serve them. The Worker owns it; worker's thread.
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

// A socket that a worker accepts from, and the listener that it belongs to.
struct WorkerListen {
  std::string listener;
  int fd = -1;
  bool shared = false;  // all workers have the same descriptor (unix sockets)
};

class Listeners final : private ConnectionOwner {
 public:
  // Called when a request begins on a client's connection.
  using OnStream = std::function<void(ListenerSlot& slot, Connection& c, Stream& stream)>;
  // `closed` is called when a connection has closed.
  Listeners(Services& services, OnStream on_stream, std::function<void(ListenerSlot&)> closed);
  ~Listeners();

  // This worker's matchers for the rule sets that are new.
  using Matchers = std::map<const RuleSet*, std::unique_ptr<RuleTable::Matcher>>;
  // Serves new requests with this snapshot from now on. Listeners that are not in it are retired and returned.
  std::vector<ListenerSlot*> serve(const Snapshot& snapshot, Matchers& matchers);
  // Accepts from exactly these sockets from now on. Before a socket is dropped, its waiting connections are accepted,
  // because nobody else will accept them.
  void listen(const std::vector<WorkerListen>& listens);
  // `take_waiting`: waiting connections are accepted first.
  void stop_listening(bool take_waiting);

  // Null if there is none of that name.
  ListenerSlot* find(const std::string& name);
  // Calls f(slot) for each, the retired ones included.
  template <class F>
  void each(F f) {
    for (auto& [name, slot] : slots_) f(*slot);
    for (auto& slot : retired_) f(*slot);
  }
  // Destroys retired slots that are empty, except those for which used(slot) is true.
  void sweep(const std::function<bool(const ListenerSlot&)>& used);
  void close_all();
  void tell_of_handshake(const std::string& listener, const ConnectionInfo& client, const Error& error);
  // Makes room when descriptors or the limit have run out. True if a connection was closed.
  bool close_oldest_idle();

  // An exchange uses this version until it calls unpin().
  static void pin(ListenerView& view) { ++view.pins; }
  void unpin(ListenerView& view);
  // The number of versions that are not served any more but that exchanges still use.
  std::size_t outdated() const { return outdated_; }
  // Whether listeners that the configuration has dropped still have connections.
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
  std::vector<std::unique_ptr<ListenerSlot>> retired_;  // dropped by the configuration, with connections left
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
