#include "proxy/upstream_pool.h"

#include <unistd.h>

#include <cerrno>

#include "tls/tls_client.h"

namespace albatross {
namespace {

// While connecting, owner_aux is one of these.
struct Opening {
  UpstreamWaiter* waiter;
  std::size_t address;
  std::size_t tried;
};

bool out_of_descriptors(int error) { return error == EMFILE || error == ENFILE; }

Error connect_error(int error) {
  bool ours = out_of_descriptors(error) || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
  Cause cause = ours ? Cause::kOverLimit : error == ECONNREFUSED ? Cause::kConnectRefused : Cause::kConnectFailed;
  return {cause, Source::kUpstream, RetrySafety::kSafe, error, nullptr};
}

}  // namespace

UpstreamPool::UpstreamPool(SessionContext& context, std::function<bool()> make_room)
    : context_(context), make_room_(std::move(make_room)) {
  limits_.target = 64 * 1024;
  limits_.fields = 200;
  limits_.head = 64 * 1024;
}

UpstreamPool::~UpstreamPool() { close_all(); }

void UpstreamPool::begin_update() {
  for (auto& [slot, pool] : pools_) pool->named = false;
}

void UpstreamPool::end_update(bool forget) {
  for (auto& [slot, pool] : pools_) {
    if (!pool->named) retire(*pool);
  }
  if (forget) std::erase_if(pools_, [](const auto& entry) { return entry.second->retired && entry.second->open == 0; });
}

ServerPool& UpstreamPool::server(const std::shared_ptr<ServerSlot>& slot, ServerSettings settings, GroupStats& stats) {
  std::unique_ptr<ServerPool>& p = pools_[slot.get()];
  if (!p) {
    p = std::make_unique<ServerPool>();
    p->slot = slot.get();
    p->slot_owner = slot;
  } else if (p->settings.settings_key != settings.settings_key) {
    retire(*p);
  }
  p->retired = false;
  p->named = true;
  p->settings = std::move(settings);
  p->stats = &stats;
  if (p->preferred >= p->settings.addresses.size()) p->preferred = 0;
  return *p;
}

void UpstreamPool::retire(ServerPool& pool) {
  pool.retired = true;
  while (pool.newest != nullptr) pool.newest->close_idle();
}

void UpstreamPool::unlink(ServerPool& pool, Session& s) {
  if (s.owner_prev == nullptr && pool.newest != &s) return;
  (s.owner_prev != nullptr ? s.owner_prev->owner_next : pool.newest) = s.owner_next;
  if (s.owner_next != nullptr) s.owner_next->owner_prev = s.owner_prev;
  s.owner_prev = s.owner_next = nullptr;
  --pool.idle;
}

Result<Session*> UpstreamPool::acquire(ServerPool& pool, UpstreamWaiter& waiter, bool fresh, Nanos newest_only_since) {
  if (!fresh) {
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

Result<Session*> UpstreamPool::connect(ServerPool& pool, std::size_t address, UpstreamWaiter* waiter) {
  if (pool.settings.addresses.empty()) return connect_error(EHOSTUNREACH);
  pool.stats->connects.add();
  int fd = -1;
  std::size_t n = pool.settings.addresses.size();
  std::size_t tried = 1;
  for (;; ++tried) {
    fd = start_connect(pool.settings.addresses[address]);
    if (fd < 0 && out_of_descriptors(-fd) && make_room_()) fd = start_connect(pool.settings.addresses[address]);
    if (fd >= 0) break;
    if (tried == n) {
      pool.stats->sync_failures.add();
      pool.stats->connect_failures.add();
      return connect_error(-fd);
    }
    address = (address + 1) % n;
  }
  auto* s = new Session(context_, *this, Role::kClient, limits_, timeouts_);
  s->owner_data = &pool;
  s->owner_aux = new Opening{waiter, address, tried};
  ++pool.open;
  std::unique_ptr<Transport> transport;
  if (pool.settings.tls) {
    transport = pool.settings.tls->connect(context_.loop(), *s, fd);
  } else {
    transport = std::make_unique<TcpTransport>(context_.loop(), *s, fd, true);
  }
  s->start(std::move(transport), pool.settings.connect_timeout);
  return s;
}

void UpstreamPool::cancel(Session& opening) {
  if (auto* o = static_cast<Opening*>(opening.owner_aux)) o->waiter = nullptr;
  opening.close_idle();
}

void UpstreamPool::on_open(Session& s) {
  auto* o = static_cast<Opening*>(s.owner_aux);
  UpstreamWaiter* waiter = o->waiter;
  static_cast<ServerPool*>(s.owner_data)->preferred = o->address;
  delete o;
  s.owner_aux = nullptr;
  waiter->on_connected(s);
}

void UpstreamPool::on_idle(Session& s) {
  ServerPool& pool = *static_cast<ServerPool*>(s.owner_data);
  if (pool.retired || pool.settings.keep == 0) return s.close_idle();
  if (pool.idle >= pool.settings.keep) {
    // The newest is the likeliest to live: the oldest goes.
    Session* oldest = pool.newest;
    while (oldest->owner_next != nullptr) oldest = oldest->owner_next;
    oldest->close_idle();
  }
  s.owner_next = pool.newest;
  s.owner_prev = nullptr;
  if (pool.newest != nullptr) pool.newest->owner_prev = &s;
  pool.newest = &s;
  ++pool.idle;
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
  --pool.open;
  pool.stats->connections_closed.add();
  context_.loop().destroy_later(std::unique_ptr<Deferred>(&s));
  auto* o = static_cast<Opening*>(s.owner_aux);
  if (o == nullptr) return;
  s.owner_aux = nullptr;
  UpstreamWaiter* waiter = o->waiter;
  std::size_t address = o->address, tried = o->tried;
  delete o;
  if (waiter == nullptr) return;
  // The same server may listen at its other address.
  if (error.cause == Cause::kConnectRefused && tried < pool.settings.addresses.size()) {
    Result<Session*> next = connect(pool, (address + 1) % pool.settings.addresses.size(), waiter);
    if (next) {
      static_cast<Opening*>((*next)->owner_aux)->tried = tried + 1;
      waiter->on_connecting(**next);
      return;
    }
  }
  pool.stats->connect_failures.add();
  waiter->on_connect_failed(error.cause == Cause::kNone ? connect_error(0) : error);
}

void UpstreamPool::close_all() {
  for (auto& [slot, pool] : pools_) retire(*pool);
}

}  // namespace albatross
