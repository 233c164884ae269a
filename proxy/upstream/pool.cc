#include "proxy/upstream/pool.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tls/tls_client.h"

namespace albatross {
namespace {

// The pool's data about a connection, as its owner_data.
struct PooledConnection {
  // While it is being opened: its waiters, the index of the address that it tries, and how many were tried.
  struct Opening {
    std::vector<UpstreamWaiter*> waiters;
    std::size_t address = 0;
    std::size_t tried = 0;
  };
  ServerPool* pool;
  std::uint32_t generation;  // that of the pool when it was opened
  bool shared;
  std::unique_ptr<Opening> opening;
};

PooledConnection& pooled(Connection& c) { return *static_cast<PooledConnection*>(c.owner_data); }
PooledConnection::Opening* opening_of(Connection& c) { return pooled(c).opening.get(); }
ServerPool& pool_of(Connection& c) { return *pooled(c).pool; }
// Whether the settings have changed so that it must not serve again.
bool outdated(Connection& c) { return pooled(c).generation != pool_of(c).generation; }

bool takes_waiter(Connection& c, std::size_t most) {
  return c.opening() && opening_of(c) != nullptr && opening_of(c)->waiters.size() < most;
}

bool takes_stream(Connection& c) { return c.can_open() && !c.hung_up(); }

bool out_of_descriptors(int error) { return error == EMFILE || error == ENFILE; }

Error connect_error(int error) {
  bool ours = out_of_descriptors(error) || error == ENOBUFS || error == ENOMEM;
  Cause cause = ours                     ? Cause::kOverLimit
                : error == EADDRNOTAVAIL ? Cause::kNoPorts
                : error == ECONNREFUSED  ? Cause::kConnectRefused
                                         : Cause::kConnectFailed;
  const char* detail = error == ENXIO ? "a source address is not one of this machine" : nullptr;
  // The server is not at fault when this machine has run out of something.
  ours |= error == EADDRNOTAVAIL || error == ENXIO;
  return {cause, ours ? Source::kInternal : Source::kUpstream, RetrySafety::kSafe, error, detail};
}

}  // namespace

bool ServerPool::may_connect() const {
  bool own = settings->max_connections == 0 || open < settings->max_connections;
  return own && (settings->group_max_connections == 0 || group->open < settings->group_max_connections);
}

bool ServerPool::has_room() const {
  if (idle > 0 || may_connect()) return true;
  for (Connection* c : shared) {
    if (takes_stream(*c) || takes_waiter(*c, H2Settings{}.max_streams)) return true;
  }
  // An idle connection to another server of the group can be closed to make room.
  return group->idle > 0 && (settings->max_connections == 0 || open < settings->max_connections);
}

UpstreamPool::UpstreamPool(SessionContext& context, std::function<bool()> make_room,
                           std::function<void(ServerPool&)> freed)
    : context_(context), make_room_(std::move(make_room)), freed_(std::move(freed)) {
  h1_.limits.target = 64 * 1024;
  h1_.limits.fields = 200;
  h1_.limits.head = 64 * 1024;
  h1_lenient_ = h2_ = h1_;
  h1_lenient_.limits.repeated_chunked = true;
  h2_.wire = Wire::kHttp2;
}

UpstreamPool::~UpstreamPool() { close_all(); }

ServerPool& UpstreamPool::server(const std::shared_ptr<ServerSlot>& slot,
                                 std::shared_ptr<const ServerSettings> settings, const GroupStatsRef& group_stats,
                                 const ServerStatsRef& stats, int worker) {
  std::unique_ptr<ServerPool>& p = pools_[slot.get()];
  if (!p) {
    p = std::make_unique<ServerPool>();
    p->slot = slot;
    std::weak_ptr<GroupConnections>& group = groups_[slot->group];
    p->group = group.lock();
    if (!p->group) group = p->group = std::make_shared<GroupConnections>();
  } else if (p->settings->key != settings->key) {
    ++p->generation;
    retire_idle(*p);
  }
  if (p->stats_ref != stats || p->group_stats_ref != group_stats) {
    p->group_stats_ref = group_stats;
    p->stats_ref = stats;
    p->group_stats = &group_stats->of(worker);
    p->stats = &stats->of(worker);
  }
  p->retired = slot->draining.load();
  p->settings = std::move(settings);
  if (p->preferred >= p->settings->addresses.size()) p->preferred = 0;
  return *p;
}

ServerPool* UpstreamPool::find(const ServerSlot& slot) {
  auto it = pools_.find(&slot);
  return it != pools_.end() ? it->second.get() : nullptr;
}

void UpstreamPool::forget(ServerPool& pool) {
  pool.candidate = -1;
  retire(pool);
  if (std::find(forgotten_.begin(), forgotten_.end(), &pool) == forgotten_.end()) forgotten_.push_back(&pool);
}

void UpstreamPool::sweep() {
  std::erase_if(forgotten_, [this](ServerPool* p) {
    if (p->candidate >= 0) return true;  // the group has it again
    if (p->open > 0 || !p->leases.empty()) return false;
    pools_.erase(p->slot.get());
    return true;
  });
  std::erase_if(groups_, [](const auto& entry) { return entry.second.expired(); });
}

void UpstreamPool::retire(ServerPool& pool) {
  pool.retired = true;
  retire_idle(pool);
}

void UpstreamPool::retire_idle(ServerPool& pool) {
  while (!pool.unused.empty()) pool.unused.front().close_idle();
  // Streams of shared connections finish. on_idle closes a shared connection that is not listed any more.
  std::vector<Connection*> shared = std::move(pool.shared);
  pool.shared.clear();
  for (Connection* c : shared) {
    if (!c->has_stream() && !c->opening()) c->close_idle();
  }
}

void UpstreamPool::link(ServerPool& pool, Connection& c) {
  if (pool.unused.linked(c)) return;
  pool.unused.push_front(c);
  ++pool.idle;
  ++pool.group->idle;
  if (pool.settings->limited()) freed_(pool);
}

void UpstreamPool::unlink(ServerPool& pool, Connection& c) {
  if (!pool.unused.linked(c)) return;
  pool.unused.remove(c);
  --pool.idle;
  --pool.group->idle;
}

// Closes an idle connection to stay below a limit: one of this server, or else one of its group.
bool UpstreamPool::close_one_idle(ServerPool& pool) {
  if (!pool.unused.empty()) {
    pool.unused.front().close_idle();
    return true;
  }
  if (pool.settings->max_connections != 0 && pool.open >= pool.settings->max_connections) return false;
  for (auto& [slot, other] : pools_) {
    if (other->group != pool.group || other->unused.empty()) continue;
    other->unused.front().close_idle();
    return true;
  }
  return false;
}

// A shared connection with a stream left, or one that is being opened, for which `waiter` then waits.
Connection* UpstreamPool::shared_for(ServerPool& pool, UpstreamWaiter& waiter) {
  for (Connection* c : pool.shared) {
    if (!takes_stream(*c)) continue;
    pool.group_stats->reused.add();
    unlink(pool, *c);
    return c;
  }
  for (Connection* c : pool.shared) {
    if (!takes_waiter(*c, h2_.h2.max_streams)) continue;
    opening_of(*c)->waiters.push_back(&waiter);
    return c;
  }
  return nullptr;
}

Connection* UpstreamPool::reuse(ServerPool& pool, Nanos newest_only_since) {
  while (!pool.unused.empty()) {
    Connection& c = pool.unused.front();
    if (!c.reusable()) {
      c.close_idle();
      continue;
    }
    if (c.idle_since() < newest_only_since) return nullptr;  // the rest are older
    unlink(pool, c);
    c.set_idle_deadline(0);
    pool.group_stats->reused.add();
    return &c;
  }
  return nullptr;
}

Result<Connection*> UpstreamPool::acquire(ServerPool& pool, UpstreamWaiter& waiter, bool fresh,
                                          Nanos newest_only_since) {
  Connection* c = nullptr;
  if (pool.settings->h2) {
    c = shared_for(pool, waiter);
  } else if (!fresh) {
    c = reuse(pool, newest_only_since);
  }
  if (c != nullptr) return c;
  return connect(pool, pool.preferred, &waiter);
}

// Opens a socket from the next source address that has a port left.
int UpstreamPool::open_socket(ServerPool& pool, const SocketAddress& to) {
  const std::vector<IpAddress>& from = pool.settings->source_addresses;
  if (from.empty() || to.family() == AF_UNIX) return start_connect(to);
  int fd = 0;
  for (std::size_t n = 0; n < from.size(); ++n) {
    const IpAddress& source = from[pool.next_source++ % from.size()];
    if (source.is_v4 != (to.family() == AF_INET)) continue;
    fd = start_connect(to, &source);
    if (fd != -EADDRNOTAVAIL) return fd;
  }
  return fd != 0 ? fd : start_connect(to);  // no source address is of that family
}

Result<Connection*> UpstreamPool::connect(ServerPool& pool, std::size_t address, UpstreamWaiter* waiter) {
  if (pool.settings->addresses.empty()) return connect_error(EHOSTUNREACH);
  if (!pool.may_connect() && !close_one_idle(pool)) {
    return Error{Cause::kOverLimit, Source::kInternal, RetrySafety::kSafe, 0, "the server has its most connections"};
  }
  pool.group_stats->connects.add();
  int fd = -1;
  std::size_t n = pool.settings->addresses.size();
  std::size_t tried = 1;
  for (;; ++tried) {
    fd = open_socket(pool, pool.settings->addresses[address]);
    if (fd < 0 && out_of_descriptors(-fd) && make_room_()) fd = open_socket(pool, pool.settings->addresses[address]);
    if (fd >= 0) break;
    if (tried == n) {
      pool.group_stats->sync_failures.add();
      pool.group_stats->connect_failures.add();
      return connect_error(-fd);
    }
    address = (address + 1) % n;
  }
  const ServerSettings& to = *pool.settings;
  auto* c = new Session(context_, *this, Role::kClient, to.h2 ? h2_ : to.repeated_chunked ? h1_lenient_ : h1_);
  auto* kept =
      new PooledConnection{&pool, pool.generation, pool.settings->h2, std::make_unique<PooledConnection::Opening>()};
  kept->opening->address = address;
  kept->opening->tried = tried;
  if (waiter != nullptr) kept->opening->waiters.push_back(waiter);
  c->owner_data = kept;
  if (pool.settings->h2) pool.shared.push_back(c);
  ++pool.open;
  ++pool.group->open;
  pool.in_use.note(pool.open - pool.idle, context_.loop().now());
  pool.slot->connections.fetch_add(1, std::memory_order_relaxed);
  std::unique_ptr<Transport> transport;
  if (pool.settings->tls) {
    transport = pool.settings->tls->connect(context_.loop(), *c, fd);
  } else {
    transport = std::make_unique<TcpTransport>(context_.loop(), *c, fd, true);
  }
  c->start(std::move(transport), pool.settings->connect_timeout);
  return c;
}

void UpstreamPool::cancel(Connection& opening, UpstreamWaiter& waiter) {
  if (auto* o = opening_of(opening)) std::erase(o->waiters, &waiter);
  // A shared connection is still opened, for the next request.
  if (!pooled(opening).shared) opening.close_idle();
}

void UpstreamPool::on_open(Connection& c) {
  ServerPool& pool = pool_of(c);
  std::unique_ptr<PooledConnection::Opening> o = std::move(pooled(c).opening);
  if (o->address < pool.settings->addresses.size()) pool.preferred = o->address;
  if (pooled(c).shared) return serve_waiters(pool, c, o->waiters);
  o->waiters.front()->on_connected(c);
}

// Serves as many waiters as the server allows streams. The others get another connection.
void UpstreamPool::serve_waiters(ServerPool& pool, Connection& c, const std::vector<UpstreamWaiter*>& waiters) {
  bool takes_any = c.can_open();
  for (UpstreamWaiter* w : waiters) {
    if (c.can_open()) {
      w->on_connected(c);
      continue;
    }
    Result<Connection*> other =
        takes_any ? acquire(pool, *w, false, 0)
                  : Error{Cause::kOverLimit, Source::kUpstream, RetrySafety::kSafe, 0, "the server takes no streams"};
    if (!other) {
      w->on_connect_failed(other.error());
    } else if ((*other)->opening()) {
      w->on_connecting(**other);
    } else {
      w->on_connected(**other);
    }
  }
  if (c.state() == Connection::State::kOpen && !c.has_stream()) on_idle(c);
  if (pool.settings->limited()) freed_(pool);
}

void UpstreamPool::on_idle(Connection& c) {
  ServerPool& pool = pool_of(c);
  const Nanos now = context_.loop().now();
  pool.in_use.note(pool.open - pool.idle, now);  // this one is still counted
  const std::uint32_t keep = pool.keep();
  if (pool.retired || keep == 0 || outdated(c)) return c.close_idle();
  if (pooled(c).shared) {
    bool listed = std::find(pool.shared.begin(), pool.shared.end(), &c) != pool.shared.end();
    if (!listed || !c.can_open()) return c.close_idle();
    link(pool, c);
    return c.set_idle_deadline(now + pool.settings->idle);
  }
  if (pool.idle >= keep) pool.unused.back().close_idle();  // newer ones are more likely to be still open
  link(pool, c);
  Nanos patience = pool.settings->idle;
  if (c.peer_keep_alive() != 0) {
    Nanos said = c.peer_keep_alive() * kSecond;
    patience = std::min(patience, said > kSecond ? said - kSecond : said / 2);
  }
  c.set_idle_deadline(now + patience);
}

void UpstreamPool::on_closed(Connection& c, const Error& error) {
  ServerPool& pool = pool_of(c);
  unlink(pool, c);
  std::erase(pool.shared, &c);
  --pool.open;
  --pool.group->open;
  pool.slot->connections.fetch_sub(1, std::memory_order_relaxed);
  pool.slot->closed.fetch_add(1, std::memory_order_relaxed);
  pool.group_stats->connections_closed.add();
  if (pool.settings->limited()) freed_(pool);
  context_.loop().destroy_later(std::unique_ptr<Deferred>(&c));
  std::unique_ptr<PooledConnection> kept(&pooled(c));
  std::unique_ptr<PooledConnection::Opening> o = std::move(kept->opening);
  if (!o || o->waiters.empty()) return;
  // The same server may listen at its other address.
  if (error.cause == Cause::kConnectRefused && o->tried < pool.settings->addresses.size()) {
    Result<Connection*> next = connect(pool, (o->address + 1) % pool.settings->addresses.size(), nullptr);
    if (next) {
      opening_of(**next)->tried = o->tried + 1;
      opening_of(**next)->waiters = o->waiters;
      for (UpstreamWaiter* w : o->waiters) w->on_connecting(**next);
      return;
    }
  }
  pool.group_stats->connect_failures.add();
  for (UpstreamWaiter* w : o->waiters) w->on_connect_failed(error.cause == Cause::kNone ? connect_error(0) : error);
}

void UpstreamPool::close_idle() {
  for (auto& [slot, pool] : pools_) retire_idle(*pool);
}

void UpstreamPool::close_all() {
  for (auto& [slot, pool] : pools_) retire(*pool);
}

}  // namespace albatross
