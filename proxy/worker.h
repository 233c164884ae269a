// One worker: a thread with its loop, its clients' connections, its connections to servers and its state of each group.
// It shares nothing with other workers except the atomics of ServerSlot and GroupSlot. The Process owns it and calls it
// through Loop::post().
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

// A change of configuration for one worker. The worker takes the parts that are new.
struct WorkerUpdate {
  std::shared_ptr<const Snapshot> snapshot;
  Listeners::Matchers matchers;  // for the rule sets that are new
};

class Worker final : private ExchangeOwner {
 public:
  Worker(const Clock& clock, WorkerSettings settings);
  ~Worker();

  // Any thread, before start().
  Loop& loop() { return services_.loop; }
  void start();
  void join();

  // From here on: the worker's thread only.
  using Drained = Drains::Done;

  // Serves with this snapshot from now on, and accepts from `listens`. The connections of removed listeners, and of
  // those in `changed`, drain within `window` nanoseconds; the end of each drain calls the function of that listener in
  // `drained`.
  void apply(WorkerUpdate update, const std::vector<WorkerListen>& listens, const std::vector<std::string>& changed,
             Nanos window, const std::map<std::string, Drained>& drained);
  // The servers of one group have changed, and nothing else.
  void apply_group(const std::shared_ptr<const GroupRuntime>& group);
  // Accepts from exactly these sockets.
  void listen(const std::vector<WorkerListen>& listens) { listeners_.listen(listens); }
  // `take_waiting`: accepts the connections that wait at the sockets first, because nobody else will.
  void stop_accepting(bool take_waiting) { listeners_.stop_listening(take_waiting); }

  // Drains; see proxy/drains.h. `window` is in nanoseconds.
  void drain_connections(const std::string& listener, Nanos window, Drained done);
  void drain_all(Nanos window, Drained done) { drains_.drain_connections(nullptr, window, std::move(done)); }
  void drain_server(std::shared_ptr<ServerSlot> slot, Nanos window, Drained done) {
    drains_.drain_server(std::move(slot), window, std::move(done));
  }
  void undrain_server(const ServerSlot& slot) { drains_.undrain_server(slot); }

  // Weights have changed: reads them again.
  using HashTables = std::map<std::string, std::shared_ptr<const HashTable>>;  // by the group's name
  void refresh_balancers(const HashTables& tables);
  // A server of that group may have room: serves its queue.
  void serve_queue(const std::string& group);
  // Closes the idle connections to servers.
  void close_idle_servers() { pool_.close_idle(); }
  // Ends the flows that hold the most memory, until that many bytes are free.
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
  std::vector<std::unique_ptr<GroupState>> removed_;  // dropped by the configuration, but still in use
  Sweeper sweeper_{this};
  std::vector<std::unique_ptr<Exchange>> free_;
  std::thread thread_;
};

}  // namespace albatross
