// Connections to servers, kept alive and reused, one pool per worker.
//
// HTTP/1.1: idle connections are taken last in, first out; one with bytes or a hang-up pending is never taken. HTTP/2:
// few connections, each filled up to what the server takes before another is opened; requests that come meanwhile wait
// for one. Caps are per process, divided by workers, at least one.
//
// A ServerPool is what a worker has of one server. It lives while a group names its server, a lease is on it or a
// connection is open. A connection belongs to the generation of settings that it was opened by: when they change so
// that it must not be used any more, it closes as soon as it is idle.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/tcp_transport.h"
#include "proxy/stats.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/server_settings.h"
#include "routing/balancing/balancer.h"
#include "session/session.h"

namespace albatross {

// Connections to all servers of a group, of this worker.
struct GroupConnections {
  std::uint32_t open = 0;
  std::uint32_t idle = 0;
};

class UpstreamWaiter {
 public:
  // The connection that is being opened has changed (another address of the same server).
  virtual void on_connecting(Connection& c) = 0;
  virtual void on_connected(Connection& c) = 0;
  virtual void on_connect_failed(const Error& error) = 0;

 protected:
  ~UpstreamWaiter() = default;
};

struct ServerPool final : Room {
  std::shared_ptr<ServerSlot> slot;
  std::shared_ptr<const ServerSettings> settings;
  std::uint32_t generation = 0;  // of settings->key
  int candidate = -1;            // its index in its group's balancer; -1: the group does not have it any more
  GroupStatsRef group_stats_ref;
  ServerStatsRef stats_ref;
  GroupStats* group_stats = nullptr;
  ServerStats* stats = nullptr;
  IntrusiveList<Lease> leases;  // requests on the server
  bool retired = false;
  std::size_t preferred = 0;  // which address answered last
  std::uint32_t open = 0;
  std::uint32_t idle = 0;
  IntrusiveList<Connection> unused;  // idle, the newest first
  std::vector<Connection*> shared;   // HTTP/2: open or opening, for new requests
  std::shared_ptr<GroupConnections> group;
  std::size_t next_source = 0;

  // An idle connection, a stream of a shared one, or another connection.
  bool has_room() const override;
  bool may_connect() const;
};

class UpstreamPool final : private ConnectionOwner {
 public:
  // `make_room`: out of descriptors; true if one was given back. `freed`: a server with a limit may have room.
  UpstreamPool(SessionContext& context, std::function<bool()> make_room, std::function<void(ServerPool&)> freed);
  ~UpstreamPool();

  // The pool of a server, made or updated. Settings with another key close what is idle.
  ServerPool& server(const std::shared_ptr<ServerSlot>& slot, std::shared_ptr<const ServerSettings> settings,
                     const GroupStatsRef& group_stats, const ServerStatsRef& stats, int worker);
  // Null if nobody has asked for it.
  ServerPool* find(const ServerSlot& slot);
  // Its group does not have it any more. It goes when nothing is on it.
  void forget(ServerPool& pool);
  // Pools that were forgotten, and that have neither connection nor lease, are gone. Not from inside the pool's own
  // calls.
  void sweep();

  // The server is gone or drains: idle connections close now, others when they come back.
  void retire(ServerPool& pool);
  // Idle connections close; the server may be used again.
  void retire_idle(ServerPool& pool);

  // A connection for one request: an open one, or one being opened whose waiter hears later (never from inside this
  // call). `newest_only_since`: a reused one must not have idled since before then (0: any).
  Result<Connection*> acquire(ServerPool& pool, UpstreamWaiter& waiter, bool fresh, Nanos newest_only_since);
  // The waiter does not want it any more.
  void cancel(Connection& opening, UpstreamWaiter& waiter);
  // Idle connections to every server close.
  void close_idle();
  void close_all();

 private:
  void on_new_stream(Connection&, Stream&) override {}
  void on_open(Connection& c) override;
  void on_idle(Connection& c) override;
  void on_closed(Connection& c, const Error& error) override;

  Result<Connection*> connect(ServerPool& pool, std::size_t address, UpstreamWaiter* waiter);
  Connection* reuse(ServerPool& pool, Nanos newest_only_since);
  void link(ServerPool& pool, Connection& c);
  void unlink(ServerPool& pool, Connection& c);
  bool close_one_idle(ServerPool& pool);
  int open_socket(ServerPool& pool, const SocketAddress& to);
  Connection* shared_for(ServerPool& pool, UpstreamWaiter& waiter);
  void serve_waiters(ServerPool& pool, Connection& c, const std::vector<UpstreamWaiter*>& waiters);

  SessionContext& context_;
  std::function<bool()> make_room_;
  std::function<void(ServerPool&)> freed_;
  std::unordered_map<std::string, std::weak_ptr<GroupConnections>> groups_;
  SessionSettings h1_, h2_;
  std::unordered_map<const ServerSlot*, std::unique_ptr<ServerPool>> pools_;
  std::vector<ServerPool*> forgotten_;
};

}  // namespace albatross
