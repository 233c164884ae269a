// Connections to servers, kept alive and reused, one pool per worker.
//
// HTTP/1.1: idle connections are taken last in, first out; one with bytes or a hang-up pending is never taken. HTTP/2:
// few connections, each filled up to what the server takes before another is opened; requests that come meanwhile wait
// for one. Caps are per process, divided by workers, at least one. A ServerPool lives while a snapshot names its server
// or a connection is open.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/tcp_transport.h"
#include "proxy/stats.h"
#include "routing/balancing/balancer.h"
#include "session/session.h"

namespace albatross {

class TlsClient;  // tls/tls_client.h

// How to reach one server, as the current snapshot says.
struct ServerSettings {
  std::vector<SocketAddress> addresses;  // tried in order within one connect (localhost: both families)
  std::shared_ptr<TlsClient> tls;        // null: plain
  std::string settings_key;              // differs when open connections must not be reused
  bool h2 = false;                       // connections are shared by many requests
  Nanos connect_timeout = 5 * kSecond;
  Nanos idle = 60 * kSecond;
  std::uint32_t keep = 32;  // idle connections, this worker's share
  // Connections at most, this worker's share, to the server and to its group; 0: any number.
  std::uint32_t max_connections = 0;
  std::uint32_t group_max_connections = 0;
  std::vector<IpAddress> source_addresses;  // by turns; empty: the kernel's choice
  bool limited() const { return max_connections != 0 || group_max_connections != 0; }
};

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
  ServerSlot* slot = nullptr;
  std::shared_ptr<ServerSlot> slot_owner;
  ServerSettings settings;
  GroupStats* stats = nullptr;
  bool retired = false;
  bool named = false;         // by the snapshot being applied
  std::size_t preferred = 0;  // which address answered last
  std::uint32_t open = 0;
  std::uint32_t idle = 0;
  IntrusiveList<Connection> unused;  // idle, the newest first
  std::vector<Connection*> shared;   // HTTP/2: open or opening, for new requests
  GroupConnections* group = nullptr;
  std::size_t next_source = 0;
  ServerStats* server_stats = nullptr;

  // An idle connection, a stream of a shared one, or another connection.
  bool has_room() const override;
  bool may_connect() const;
};

// What the pool keeps of a connection: its owner_data.
struct PooledConnection {
  // While it is being opened: who waits for it, and which of the server's addresses it tries.
  struct Opening {
    std::vector<UpstreamWaiter*> waiters;
    std::size_t address = 0;
    std::size_t tried = 0;
  };
  ServerPool* pool = nullptr;
  std::unique_ptr<Opening> opening;
};

class UpstreamPool final : private ConnectionOwner {
 public:
  // `make_room`: out of descriptors; true if one was given back. `freed`: a server with a limit may have room.
  UpstreamPool(SessionContext& context, std::function<bool()> make_room, std::function<void(ServerPool&)> freed);
  ~UpstreamPool();

  // Around the calls of server() for one snapshot: what was not named is retired.
  void begin_update();
  void end_update();
  // When no other snapshot is left: pools that this one did not name, and that have no connection, are gone.
  void forget_unnamed();
  // The pool of a server, made or updated. A changed settings_key closes what is idle.
  ServerPool& server(const std::shared_ptr<ServerSlot>& slot, ServerSettings settings, GroupStats& stats,
                     ServerStats& server_stats);
  // Null if nobody has asked for it.
  ServerPool* find(const ServerSlot& slot);
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
  void link(ServerPool& pool, Connection& c);
  void unlink(ServerPool& pool, Connection& c);
  bool close_one_idle(ServerPool& pool);
  int open_socket(ServerPool& pool, const SocketAddress& to);
  Connection* shared_for(ServerPool& pool, UpstreamWaiter& waiter);
  void serve_waiters(ServerPool& pool, Connection& c, const std::vector<UpstreamWaiter*>& waiters);

  SessionContext& context_;
  std::function<bool()> make_room_;
  std::function<void(ServerPool&)> freed_;
  std::unordered_map<std::string, GroupConnections> groups_;
  SessionSettings h1_, h2_;
  std::unordered_map<ServerSlot*, std::unique_ptr<ServerPool>> pools_;
};

}  // namespace albatross
