#include "proxy/upstream/upstream_pool.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tls/tls_client.h"

namespace albatross {
namespace {

// While connecting, owner_aux is one of these.
struct Opening {
  std::vector<UpstreamWaiter*> waiters;
  std::size_t address;
  std::size_t tried;
};

Opening* opening_of(Session& s) { return static_cast<Opening*>(s.owner_aux); }

bool takes_waiter(Session& s, std::size_t most) {
  return s.opening() && opening_of(s) != nullptr && opening_of(s)->waiters.size() < most;
}

bool takes_stream(Session& s) { return s.can_open() && !s.transport().hung_up(); }

bool out_of_descriptors(int error) { return error == EMFILE || error == ENFILE; }

Error connect_error(int error) {
  bool ours = out_of_descriptors(error) || error == ENOBUFS || error == ENOMEM;
  Cause cause = ours                     ? Cause::kOverLimit
                : error == EADDRNOTAVAIL ? Cause::kNoPorts
                : error == ECONNREFUSED  ? Cause::kConnectRefused
                                         : Cause::kConnectFailed;
  const char* detail = error == ENXIO ? "a source address is not one of this machine" : nullptr;
  // No server is to blame for what we are short of.
  ours |= error == EADDRNOTAVAIL || error == ENXIO;
  return {cause, ours ? Source::kInternal : Source::kUpstream, RetrySafety::kSafe, error, detail};
}

}  // namespace

bool ServerPool::may_connect() const {
  bool own = settings.max_connections == 0 || open < settings.max_connections;
  return own && (settings.group_max_connections == 0 || group->open < settings.group_max_connections);
}

bool ServerPool::has_room() const {
  if (idle > 0 || may_connect()) return true;
  for (Session* s : shared) {
    if (takes_stream(*s) || takes_waiter(*s, H2Settings{}.max_streams)) return true;
  }
  // One that idles at another server of the group makes room.
  return group->idle > 0 && (settings.max_connections == 0 || open < settings.max_connections);
}

UpstreamPool::UpstreamPool(SessionContext& context, std::function<bool()> make_room,
                           std::function<void(ServerPool&)> freed)
    : context_(context), make_room_(std::move(make_room)), freed_(std::move(freed)) {
  limits_.target = 64 * 1024;
  limits_.fields = 200;
  limits_.head = 64 * 1024;
}

UpstreamPool::~UpstreamPool() { close_all(); }

void UpstreamPool::begin_update() {
  for (auto& [slot, pool] : pools_) pool->named = false;
}

void UpstreamPool::end_update() {
  for (auto& [slot, pool] : pools_) {
    if (!pool->named) retire(*pool);
  }
}

void UpstreamPool::forget_unnamed() {
  std::erase_if(pools_, [](const auto& entry) { return !entry.second->named && entry.second->open == 0; });
}

ServerPool& UpstreamPool::server(const std::shared_ptr<ServerSlot>& slot, ServerSettings settings, GroupStats& stats,
                                 ServerStats& server_stats) {
  std::unique_ptr<ServerPool>& p = pools_[slot.get()];
  if (!p) {
    p = std::make_unique<ServerPool>();
    p->slot = slot.get();
    p->slot_owner = slot;
    p->group = &groups_[slot->group];
  } else if (p->settings.settings_key != settings.settings_key) {
    retire(*p);
  }
  p->retired = slot->draining.load();
  p->named = true;
  p->settings = std::move(settings);
  p->stats = &stats;
  p->server_stats = &server_stats;
  if (p->preferred >= p->settings.addresses.size()) p->preferred = 0;
  return *p;
}

ServerPool* UpstreamPool::find(const ServerSlot& slot) {
  auto it = pools_.find(const_cast<ServerSlot*>(&slot));
  return it != pools_.end() ? it->second.get() : nullptr;
}

void UpstreamPool::retire(ServerPool& pool) {
  pool.retired = true;
  retire_idle(pool);
}

void UpstreamPool::retire_idle(ServerPool& pool) {
  while (pool.newest != nullptr) pool.newest->close_idle();
  // What still runs on shared ones is finished; on_idle closes what is not listed any more.
  std::vector<Session*> shared = std::move(pool.shared);
  pool.shared.clear();
  for (Session* s : shared) {
    if (!s->has_stream() && !s->opening()) s->close_idle();
  }
}

void UpstreamPool::link(ServerPool& pool, Session& s) {
  if (s.owner_prev != nullptr || pool.newest == &s) return;
  s.owner_next = pool.newest;
  if (pool.newest != nullptr) pool.newest->owner_prev = &s;
  pool.newest = &s;
  ++pool.idle;
  ++pool.group->idle;
  if (pool.settings.limited()) freed_(pool);
}

void UpstreamPool::unlink(ServerPool& pool, Session& s) {
  if (s.owner_prev == nullptr && pool.newest != &s) return;
  (s.owner_prev != nullptr ? s.owner_prev->owner_next : pool.newest) = s.owner_next;
  if (s.owner_next != nullptr) s.owner_next->owner_prev = s.owner_prev;
  s.owner_prev = s.owner_next = nullptr;
  --pool.idle;
  --pool.group->idle;
}

// To stay below a limit: one of its own, or else of its group.
bool UpstreamPool::close_one_idle(ServerPool& pool) {
  if (pool.newest != nullptr) {
    pool.newest->close_idle();
    return true;
  }
  if (pool.settings.max_connections != 0 && pool.open >= pool.settings.max_connections) return false;
  for (auto& [slot, other] : pools_) {
    if (other->group != pool.group || other->newest == nullptr) continue;
    other->newest->close_idle();
    return true;
  }
  return false;
}

// One with room, or one being opened whose waiter this one becomes.
Session* UpstreamPool::shared_for(ServerPool& pool, UpstreamWaiter& waiter) {
  for (Session* s : pool.shared) {
    if (!takes_stream(*s)) continue;
    pool.stats->reused.add();
    unlink(pool, *s);
    return s;
  }
  for (Session* s : pool.shared) {
    if (!takes_waiter(*s, h2_.max_streams)) continue;
    opening_of(*s)->waiters.push_back(&waiter);
    return s;
  }
  return nullptr;
}

Result<Session*> UpstreamPool::acquire(ServerPool& pool, UpstreamWaiter& waiter, bool fresh, Nanos newest_only_since) {
  if (pool.settings.h2) {
    if (Session* s = shared_for(pool, waiter)) return s;
  } else if (!fresh) {
    for (Session* s = pool.newest; s != nullptr;) {
      Session* next = s->owner_next;
      if (s->reusable()) {
        if (s->idle_since() < newest_only_since) break;  // the rest are older still
        unlink(pool, *s);
        s->set_idle_deadline(0);
        pool.stats->reused.add();
        return s;
      }
      s->close_idle();
      s = next;
    }
  }
  return connect(pool, pool.preferred, &waiter);
}

// From the next of the source addresses that has a port left.
int UpstreamPool::open_socket(ServerPool& pool, const SocketAddress& to) {
  const std::vector<IpAddress>& from = pool.settings.source_addresses;
  if (from.empty() || to.family() == AF_UNIX) return start_connect(to);
  int fd = 0;
  for (std::size_t n = 0; n < from.size(); ++n) {
    const IpAddress& source = from[pool.next_source++ % from.size()];
    if (source.is_v4 != (to.family() == AF_INET)) continue;
    fd = start_connect(to, &source);
    if (fd != -EADDRNOTAVAIL) return fd;
  }
  return fd != 0 ? fd : start_connect(to);  // none of that family
}

Result<Session*> UpstreamPool::connect(ServerPool& pool, std::size_t address, UpstreamWaiter* waiter) {
  if (pool.settings.addresses.empty()) return connect_error(EHOSTUNREACH);
  if (!pool.may_connect() && !close_one_idle(pool)) {
    return Error{Cause::kOverLimit, Source::kInternal, RetrySafety::kSafe, 0, "the server has its most connections"};
  }
  pool.stats->connects.add();
  int fd = -1;
  std::size_t n = pool.settings.addresses.size();
  std::size_t tried = 1;
  for (;; ++tried) {
    fd = open_socket(pool, pool.settings.addresses[address]);
    if (fd < 0 && out_of_descriptors(-fd) && make_room_()) fd = open_socket(pool, pool.settings.addresses[address]);
    if (fd >= 0) break;
    if (tried == n) {
      pool.stats->sync_failures.add();
      pool.stats->connect_failures.add();
      return connect_error(-fd);
    }
    address = (address + 1) % n;
  }
  auto* s = new Session(context_, *this, Role::kClient, limits_, timeouts_);
  s->set_wire(pool.settings.h2 ? Wire::kHttp2 : Wire::kHttp1, h2_);
  s->owner_data = &pool;
  s->owner_aux = new Opening{{}, address, tried};
  if (waiter != nullptr) opening_of(*s)->waiters.push_back(waiter);
  if (pool.settings.h2) pool.shared.push_back(s);
  ++pool.open;
  ++pool.group->open;
  pool.slot->connections.fetch_add(1, std::memory_order_relaxed);
  std::unique_ptr<Transport> transport;
  if (pool.settings.tls) {
    transport = pool.settings.tls->connect(context_.loop(), *s, fd);
  } else {
    transport = std::make_unique<TcpTransport>(context_.loop(), *s, fd, true);
  }
  s->start(std::move(transport), pool.settings.connect_timeout);
  return s;
}

void UpstreamPool::cancel(Session& opening, UpstreamWaiter& waiter) {
  if (Opening* o = opening_of(opening)) std::erase(o->waiters, &waiter);
  // A shared one goes on: the next request will want it.
  if (!static_cast<ServerPool*>(opening.owner_data)->settings.h2) opening.close_idle();
}

void UpstreamPool::on_open(Session& s) {
  ServerPool& pool = *static_cast<ServerPool*>(s.owner_data);
  std::unique_ptr<Opening> o(opening_of(s));
  s.owner_aux = nullptr;
  pool.preferred = o->address;
  if (s.multiplexes()) return serve_waiters(pool, s, o->waiters);
  o->waiters.front()->on_connected(s);
}

// As many as the server takes at once; the others get another connection.
void UpstreamPool::serve_waiters(ServerPool& pool, Session& s, const std::vector<UpstreamWaiter*>& waiters) {
  bool takes_any = s.can_open();
  for (UpstreamWaiter* w : waiters) {
    if (s.can_open()) {
      w->on_connected(s);
      continue;
    }
    Result<Session*> other =
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
  if (s.state() == Session::State::kOpen && !s.has_stream()) on_idle(s);
  if (pool.settings.limited()) freed_(pool);
}

void UpstreamPool::on_idle(Session& s) {
  ServerPool& pool = *static_cast<ServerPool*>(s.owner_data);
  if (pool.retired || pool.settings.keep == 0) return s.close_idle();
  if (s.multiplexes()) {
    bool listed = std::find(pool.shared.begin(), pool.shared.end(), &s) != pool.shared.end();
    if (!listed || !s.can_open()) return s.close_idle();
    link(pool, s);
    return s.set_idle_deadline(s.now() + pool.settings.idle);
  }
  if (pool.idle >= pool.settings.keep) {
    // The newest is the likeliest to live: the oldest goes.
    Session* oldest = pool.newest;
    while (oldest->owner_next != nullptr) oldest = oldest->owner_next;
    oldest->close_idle();
  }
  link(pool, s);
  Nanos patience = pool.settings.idle;
  if (s.peer_keep_alive() != 0) {
    Nanos said = s.peer_keep_alive() * kSecond;
    patience = std::min(patience, said > kSecond ? said - kSecond : said / 2);
  }
  s.set_idle_deadline(s.now() + patience);
}

void UpstreamPool::on_closed(Session& s, const Error& error) {
  ServerPool& pool = *static_cast<ServerPool*>(s.owner_data);
  unlink(pool, s);
  std::erase(pool.shared, &s);
  --pool.open;
  --pool.group->open;
  pool.slot->connections.fetch_sub(1, std::memory_order_relaxed);
  pool.slot->closed.fetch_add(1, std::memory_order_relaxed);
  pool.stats->connections_closed.add();
  if (pool.settings.limited()) freed_(pool);
  context_.loop().destroy_later(std::unique_ptr<Deferred>(&s));
  std::unique_ptr<Opening> o(opening_of(s));
  s.owner_aux = nullptr;
  if (!o || o->waiters.empty()) return;
  // The same server may listen at its other address.
  if (error.cause == Cause::kConnectRefused && o->tried < pool.settings.addresses.size()) {
    Result<Session*> next = connect(pool, (o->address + 1) % pool.settings.addresses.size(), nullptr);
    if (next) {
      opening_of(**next)->tried = o->tried + 1;
      opening_of(**next)->waiters = o->waiters;
      for (UpstreamWaiter* w : o->waiters) w->on_connecting(**next);
      return;
    }
  }
  pool.stats->connect_failures.add();
  for (UpstreamWaiter* w : o->waiters) w->on_connect_failed(error.cause == Cause::kNone ? connect_error(0) : error);
}

void UpstreamPool::close_idle() {
  for (auto& [slot, pool] : pools_) retire_idle(*pool);
}

void UpstreamPool::close_all() {
  for (auto& [slot, pool] : pools_) retire(*pool);
}

}  // namespace albatross
