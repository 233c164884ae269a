// One thread: a loop, its clients' connections, its pools of servers, its view of the configuration. Shares nothing
// with other workers but what ServerSlot's and GroupSlot's atomics say. The Process talks to it by post().
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "proxy/drains.h"
#include "proxy/exchange/exchange.h"
#include "proxy/listeners.h"
#include "proxy/services.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/group.h"
#include "proxy/upstream/pool.h"

namespace albatross {

// A change of configuration, as one worker gets it. Only what is new has to be taken up.
struct WorkerUpdate {
  std::shared_ptr<const Snapshot> snapshot;
  Listeners::Matchers matchers;  // of rule sets that are new
};

class Worker final : private ExchangeOwner {
 public:
  Worker(const Clock& clock, WorkerSettings settings);
  ~Worker();

  // Another thread; before run().
  Loop& loop() { return services_.loop; }
  void start();
  void join();

  // The worker's thread from here on.
  using Drained = Drains::Done;

  // Serves by this from now on, and accepts from `listens`. Connections of listeners that have gone, and of those
  // `changed`, drain over `window`; each calls its part of `drained`, by name.
  void apply(WorkerUpdate update, const std::vector<WorkerListen>& listens, const std::vector<std::string>& changed,
             Nanos window, const std::map<std::string, Drained>& drained);
  // One group's servers have changed, and nothing else.
  void apply_group(const std::shared_ptr<const GroupRuntime>& group);
  // Accepts from exactly these.
  void listen(const std::vector<WorkerListen>& listens) { listeners_.listen(listens); }
  // `take_waiting`: what waits at the sockets is taken first, as nobody else will.
  void stop_accepting(bool take_waiting) { listeners_.stop_listening(take_waiting); }

  // Drains (PRODUCT §5).
  void drain_connections(const std::string& listener, Nanos window, Drained done);
  void drain_all(Nanos window, Drained done) { drains_.drain_connections(nullptr, window, std::move(done)); }
  void drain_server(std::shared_ptr<ServerSlot> slot, Nanos window, Drained done) {
    drains_.drain_server(std::move(slot), window, std::move(done));
  }
  void undrain_server(const ServerSlot& slot) { drains_.undrain_server(slot); }

  // Weights have changed.
  using HashTables = std::map<std::string, std::shared_ptr<const HashTable>>;  // by group
  void refresh_balancers(const HashTables& tables);
  // Room may have been freed in that group.
  void serve_queue(const std::string& group);
  // Idle connections to servers close.
  void close_idle_servers() { pool_.close_idle(); }
  // The flows that hold the most memory end, until so much of it is free.
  void end_largest(std::uint64_t bytes);

 private:
  void begin(ListenerSlot& slot, Connection& c, Stream& stream);
  void recycle(Exchange& x) override;
  void unpin(ListenerView& view) override;
  void sweep();
  void serve_group(const std::shared_ptr<const GroupRuntime>& group);
  std::unique_ptr<GroupState> revived(const GroupRuntime& group);
  void detach_from_outdated();

  struct Sweeper final : Ready {
    explicit Sweeper(Worker* w) : worker(w) {}
    void on_ready() override { worker->sweep(); }
    Worker* worker;
  };

  Services services_;
  UpstreamPool pool_;
  Listeners listeners_;
  Drains drains_;
  std::unordered_map<std::string, std::unique_ptr<GroupState>> groups_;
  std::vector<std::unique_ptr<GroupState>> removed_;  // groups that the configuration does not have any more
  Sweeper sweeper_{this};
  std::vector<std::unique_ptr<Exchange>> free_;
  std::thread thread_;
};

}  // namespace albatross
