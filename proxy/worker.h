// One thread: a loop, its client connections, its upstream pools, its view of the snapshot. Shares nothing with other
// workers but what ServerSlot's atomics say. The Server talks to it by post().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/listen.h"
#include "net/loop.h"
#include "proxy/drain.h"
#include "proxy/exchange/exchange.h"
#include "proxy/overload.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/upstream_pool.h"
#include "telemetry/access_log.h"

namespace albatross {

struct WorkerSettings {
  int index = 0;
  std::uint32_t max_connections = 100'000;  // this worker's share
  AccessLog* log = nullptr;
  const std::atomic<OverloadLevel>* overload = nullptr;
  StatsRegistry* stats = nullptr;
  std::string instance;  // names this process in the loop header
  // Takes a retired snapshot to the control thread, where it is destroyed.
  std::function<void(std::unique_ptr<WorkerSnapshot>)> retire;
  std::function<void(std::string)> event;                                // for the event log; any thread
  std::function<void(int worker, const std::string& group)> wake_queue;  // has that worker serve its queue; any thread
};

struct WorkerListen {
  std::string listener;
  int fd = -1;
  bool shared = false;  // one descriptor in every worker (unix sockets)
};

class Worker final : private ConnectionOwner {
 public:
  Worker(const Clock& clock, WorkerSettings settings);
  ~Worker();

  // Another thread; before run().
  Loop& loop() { return loop_; }
  void start();
  void join();

  // The worker's thread from here on.

  // Serves by this from now on; takes connections from `listens` for listeners that are new.
  void apply(std::unique_ptr<WorkerSnapshot> snapshot, const std::vector<WorkerListen>& listens);
  // Takes connections of a listener that the current snapshot has.
  void open(const WorkerListen& listen);
  // After drain_listener(): the current snapshot still has it.
  void reopen(const std::string& name, const std::vector<WorkerListen>& listens);

  // Drains (PRODUCT §5). `done` on this thread, when nothing of ours is left.
  using Drained = std::function<void(const DrainReport&)>;
  // The listener goes away: its sockets are left, its connections drain over `window`, what is left then is cut.
  void drain_listener(const std::string& name, Nanos window, Drained done);
  // Its connections drain, its sockets stay: what it speaks has changed.
  void drain_connections(const std::string& name, Nanos window, Drained done);
  void drain_all(Nanos window, Drained done);
  // The server gets no more.
  void drain_server(std::shared_ptr<ServerSlot> slot, Nanos window, Drained done);
  // It takes requests again, or will: a drain under way ends with the report so far.
  void undrain_server(const ServerSlot& slot);
  // Weights have changed.
  using HashTables = std::map<std::string, std::shared_ptr<const HashTable>>;  // by group
  void refresh_balancers(const HashTables& tables);
  // Room may have been freed in that group.
  void serve_queue(const std::string& group);
  // `take_waiting`: what waits at the sockets is taken first, as nobody else will.
  void stop_accepting(bool take_waiting);
  // Idle connections to servers close.
  void close_idle_servers() { pool_.close_idle(); }
  // The exchanges that hold the most memory end, until so much of it is free.
  void end_largest(std::uint64_t bytes);

  // For exchanges.
  SessionContext& context() { return context_; }
  UpstreamPool& pool() { return pool_; }
  Random& random() { return random_; }
  WorkerStats& stats() { return stats_; }
  void event(std::string what) { settings_.event(std::move(what)); }
  AccessLog& log() { return *settings_.log; }
  // "Mon, 23 Nov 2026 06:00:00 GMT", made once a second.
  std::string_view date();
  const std::string& instance() const { return settings_.instance; }
  int index() const { return settings_.index; }
  int workers() const { return settings_.stats->workers(); }
  void wake_queue_of(int worker, const std::string& group) { settings_.wake_queue(worker, group); }
  void recycle(Exchange& x);
  // An exchange is not on that server any more.
  enum class Left : std::uint8_t { kFinished, kMoved, kCut };
  bool drains() const { return !drains_.empty(); }
  void left_server(const ServerSlot& slot, Nanos since, Left how, bool tunnel, bool call);
  // An exchange is over.
  void left(const Exchange& x, Left how, bool tunnel, bool call);
  OverloadLevel overload() const { return settings_.overload->load(std::memory_order_relaxed); }
  void unpin(WorkerSnapshot& s);

 private:
  // What a client's connection belongs to, over reloads.
  struct ListenerSlot {
    std::string name;
    std::size_t index = 0;  // in the current snapshot
    SessionSettings settings;
    std::vector<std::unique_ptr<Acceptor>> acceptors;
    ListenerStats* stats = nullptr;
    IntrusiveList<Connection> connections;  // by last activity, the oldest first
    std::size_t connection_count = 0;
    // Routes after a listener has left the configuration: the snapshot that knew it.
    WorkerSnapshot* last = nullptr;
  };

  void on_new_stream(Connection& c, Stream& stream) override;
  void on_open(Connection&) override {}
  void on_idle(Connection&) override {}
  void on_closed(Connection& c, const Error& error) override;

  bool may_accept(Acceptor& acceptor);
  void accept(ListenerSlot& slot, int fd, const SocketAddress& peer);
  bool on_exhausted(int error);
  bool close_oldest_idle();
  template <class F>
  void for_each_slot(F f) {
    for (auto& [name, slot] : slots_) f(*slot);
    for (auto& slot : retired_slots_) f(*slot);
  }
  void close_over(ListenerSlot& slot, Nanos window);
  void forget_empty_slots();
  void start_drain(std::unique_ptr<Drain> d);
  bool covers(const Drain& d, const Exchange& x) const;
  bool is_over(const Drain& d) const;
  void step_drains();
  void cut_connections(const Drain& d);
  void count_left(Drain& d, Left how, bool tunnel, bool call);
  void count_what_is_left(Drain& d);
  void finish_drains();
  void serve(std::size_t listener);
  void connect_pools(WorkerSnapshot& s);
  std::shared_ptr<GroupQueue> queue_of(const GroupRuntime& group);

  WorkerSettings settings_;
  Loop loop_;
  SessionContext context_;
  UpstreamPool pool_;
  Random random_;
  std::unordered_map<std::string, std::shared_ptr<GroupQueue>> queues_;  // by group
  WorkerStats& stats_;
  WorkerSnapshot* current_ = nullptr;
  std::vector<std::unique_ptr<WorkerSnapshot>> snapshots_;  // the current and those pinned
  std::unordered_map<std::string, std::unique_ptr<ListenerSlot>> slots_;
  std::vector<std::unique_ptr<ListenerSlot>> retired_slots_;  // their listeners have gone, connections remain
  struct Sweeper final : Ready {
    explicit Sweeper(Worker* w) : worker(w) {}
    void on_ready() override {
      worker->finish_drains();
      worker->forget_empty_slots();
      if (worker->snapshots_.size() == 1) worker->pool_.forget_unnamed();
    }
    Worker* worker;
  };
  Sweeper sweeper_{this};
  std::vector<std::unique_ptr<Drain>> drains_;
  MemberTimer<Worker, &Worker::step_drains> drain_timer_{this};
  std::vector<std::unique_ptr<Exchange>> free_;
  Exchange* running_ = nullptr;
  Nanos date_second_ = 0;
  char date_text_[32] = {};
  std::size_t connections_ = 0;
  std::thread thread_;
};

}  // namespace albatross
