// The drains of one worker: of a server, of a listener's connections, or of all connections. A draining server or
// listener gets no new requests or connections. Its idle connections close gradually, its tunnels and calls are told
// one after another to go elsewhere, and flows that remain at the deadline are cut. The Worker owns it; worker's
// thread.
#pragma once

#include <memory>
#include <vector>

#include "net/loop.h"
#include "net/timer_wheel.h"
#include "proxy/drain.h"
#include "proxy/flow.h"

namespace albatross {

class Lease;
class Listeners;
class UpstreamPool;

class Drains final : private Ready {
 public:
  // All three outlive this object.
  Drains(Loop& loop, Listeners& listeners, UpstreamPool& pool) : loop_(loop), listeners_(listeners), pool_(pool) {}
  ~Drains();

  // Called on this thread when this worker's part is over.
  using Done = std::function<void(const DrainReport&)>;
  void drain_server(std::shared_ptr<ServerSlot> slot, Nanos window, Done done);
  // The server takes requests again. A drain under way ends with its report so far.
  void undrain_server(const ServerSlot& slot);
  // Drains the connections that the listener has now; later ones are not part of it. Null: of all listeners.
  void drain_connections(ListenerSlot* listener, Nanos window, Done done);

  bool any() const { return !drains_.empty(); }
  // Whether a drain of that listener's connections is under way.
  bool concerns(const ListenerSlot& slot) const;
  // A flow has left the server of that lease; a flow has ended.
  void left(const Lease& lease, Flow::Left how);
  void left(const Flow& flow);
  // A connection has closed, so a drain may be over.
  void connection_closed() {
    if (any()) loop_.make_ready(*this);
  }

 private:
  void start(std::unique_ptr<Drain> d);
  template <class F>
  void each_flow(const Drain& d, F f);
  static bool covers(const Drain& d, const Flow& flow);
  void count(Drain& d, Flow::Left how, Flow::Kind kind);
  void count_what_is_left(Drain& d);
  void close_over(ListenerSlot& slot, Nanos window);
  bool step(Drain& d);
  void step_all();
  void cut_connections(const Drain& d);
  bool is_over(const Drain& d);
  void finish();
  void on_ready() override { finish(); }

  Loop& loop_;
  Listeners& listeners_;
  UpstreamPool& pool_;
  std::vector<std::unique_ptr<Drain>> drains_;
  MemberTimer<Drains, &Drains::step_all> timer_{this};
};

}  // namespace albatross
