// Connections of one worker to servers, kept open and reused. The Worker owns the UpstreamPool; worker's thread.
//
// HTTP/1.1: the connection that became idle last is taken first. One with bytes or a hang-up pending is never taken.
// HTTP/2: there are few connections, and each is used for as many streams as the server allows before another is
// opened. Requests that come while one is being opened wait for it. Limits of the process are divided among the
// workers, at least one each.
//
// A ServerPool holds the connections to one server. It lives while a group has its server, a lease is on it or a
// connection is open. A connection belongs to the generation of settings that it was opened with. When the settings
// change so that it must not be used any more, it closes as soon as it is idle.
#pragma once

#include <algorithm>
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

// The number of this worker's connections to all servers of a group.
struct GroupConnections {
  std::uint32_t open = 0;
  std::uint32_t idle = 0;
};

class UpstreamWaiter {
 public:
  // Another connection is being opened instead, to another address of the same server or because the first was full.
  virtual void on_connecting(Connection& c) = 0;
  virtual void on_connected(Connection& c) = 0;
  virtual void on_connect_failed(const Error& error) = 0;

 protected:
  ~UpstreamWaiter() = default;
};

// The peak of a number in use within the last 30 to 60 seconds.
class RecentPeak {
 public:
  void note(std::uint32_t in_use, Nanos now) {
    if (now - since_ >= kWindow) {
      before_ = now - since_ < 2 * kWindow ? peak_ : 0;
      peak_ = in_use;
      since_ = now;
    }
    peak_ = std::max(peak_, in_use);
  }
  std::uint32_t value() const { return std::max(peak_, before_); }

 private:
  static constexpr Nanos kWindow = 30 * kSecond;
  Nanos since_ = 0;
  std::uint32_t peak_ = 0;    // in the window that began at since_
  std::uint32_t before_ = 0;  // in the window before
};

struct ServerPool final : Room {
  std::shared_ptr<ServerSlot> slot;
  std::shared_ptr<const ServerSettings> settings;
  std::uint32_t generation = 0;  // counts up when settings->key changes
  int candidate = -1;            // its index in its group's balancer; -1: the group has dropped it
  GroupStatsRef group_stats_ref;
  ServerStatsRef stats_ref;
  GroupStats* group_stats = nullptr;
  ServerStats* stats = nullptr;
  IntrusiveList<Lease> leases;  // of the requests on the server
  bool retired = false;
  std::size_t preferred = 0;  // the index of the address that answered last
  std::uint32_t open = 0;
  std::uint32_t idle = 0;
  IntrusiveList<Connection> unused;  // idle connections, the newest first
  std::vector<Connection*> shared;   // HTTP/2: open or being opened, for new requests
  std::shared_ptr<GroupConnections> group;
  std::size_t next_source = 0;
  RecentPeak in_use;

  // The most idle connections that it keeps.
  std::uint32_t keep() const { return settings->keep == ServerSettings::kKeepPeak ? in_use.value() : settings->keep; }

  // Whether there is an idle connection or a stream of a shared one for a request, or another connection may be opened.
  bool has_room() const override;
  bool may_connect() const;
};

class UpstreamPool final : private ConnectionOwner {
 public:
  // `make_room` is called when descriptors have run out, and returns whether it freed one. `freed` is called when a
  // server with a limit may have room.
  UpstreamPool(SessionContext& context, std::function<bool()> make_room, std::function<void(ServerPool&)> freed);
  ~UpstreamPool();

  // Makes or updates the pool of a server. Settings with another key close its idle connections.
  ServerPool& server(const std::shared_ptr<ServerSlot>& slot, std::shared_ptr<const ServerSettings> settings,
                     const GroupStatsRef& group_stats, const ServerStatsRef& stats, int worker);
  // Null if the server has no pool.
  ServerPool* find(const ServerSlot& slot);
  // The group has dropped the server. sweep() destroys the pool when nothing uses it.
  void forget(ServerPool& pool);
  // Destroys forgotten pools without connections and leases. Not to be called from inside the pool's own calls.
  void sweep();

  // The server is gone or drains: closes idle connections now, and others when they become idle.
  void retire(ServerPool& pool);
  // Closes idle connections. The server may be used again.
  void retire_idle(ServerPool& pool);

  // A connection for one request: an open one, or one that is being opened, which the waiter is told about later, never
  // inside this call. `fresh`: a new one, unless the server speaks HTTP/2. `newest_only_since`: a connection that has
  // been idle since before that time is not reused (0: any is).
  Result<Connection*> acquire(ServerPool& pool, UpstreamWaiter& waiter, bool fresh, Nanos newest_only_since);
  // The waiter does not want the connection any more.
  void cancel(Connection& opening, UpstreamWaiter& waiter);
  // Closes the idle connections to every server.
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
  SessionSettings h1_, h1_lenient_, h2_;
  std::unordered_map<const ServerSlot*, std::unique_ptr<ServerPool>> pools_;
  std::vector<ServerPool*> forgotten_;
};

}  // namespace albatross
