// The drains of one worker (PRODUCT §5): of a server, of a listener's connections, or of all. No new requests or
// connections from who begins one; idle connections close over a while, tunnels and calls are told one after another,
// what is left at the deadline is cut. Worker's thread.
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
  // All three outlive this.
  Drains(Loop& loop, Listeners& listeners, UpstreamPool& pool) : loop_(loop), listeners_(listeners), pool_(pool) {}
  ~Drains();

  // `done` on this thread, when nothing of ours is left.
  using Done = std::function<void(const DrainReport&)>;
  void drain_server(std::shared_ptr<ServerSlot> slot, Nanos window, Done done);
  // It takes requests again, or will: a drain under way ends with the report so far.
  void undrain_server(const ServerSlot& slot);
  // Connections that come from here on are not part of it. Null: all listeners.
  void drain_connections(ListenerSlot* listener, Nanos window, Done done);

  bool any() const { return !drains_.empty(); }
  // A drain of its connections is under way.
  bool concerns(const ListenerSlot& slot) const;
  // A flow is not on that server any more; it is over.
  void left(const Lease& lease, Flow::Left how);
  void left(const Flow& flow);
  // A connection has gone: a drain may be over.
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
