#include "proxy/worker.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "proxy/upstream/group_queue.h"
#include "tls/tls_server.h"

namespace albatross {

Worker::Worker(const Clock& clock, WorkerSettings settings)
    : settings_(std::move(settings)),
      loop_(clock),
      context_(loop_),
      pool_(
          context_, [this] { return close_oldest_idle(); }, [this](ServerPool& p) { serve_queue(p.slot->group); }),
      stats_(settings_.stats->worker(settings_.index)) {}

Worker::~Worker() {
  stop_accepting(false);
  for_each_slot([](ListenerSlot& s) {
    while (!s.connections.empty()) s.connections.front().fail(internal_error(Cause::kDrainCut));
  });
  pool_.close_all();
}

void Worker::start() {
  thread_ = std::thread([this] {
    loop_.run();
  });
}

void Worker::join() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

std::string_view Worker::date() {
  Nanos second = loop_.wall() / kSecond;
  if (second != date_second_) {
    date_second_ = second;
    std::time_t t = static_cast<std::time_t>(second);
    std::tm tm;
    gmtime_r(&t, &tm);
    std::strftime(date_text_, sizeof date_text_, "%a, %d %b %Y %H:%M:%S GMT", &tm);
  }
  return date_text_;
}

// ---- configuration ----

void Worker::connect_pools(WorkerSnapshot& s) {
  std::erase_if(queues_, [](const auto& entry) { return entry.second.use_count() == 1; });
  pool_.begin_update();
  for (GroupState& g : s.groups) {
    std::vector<Candidate> candidates;
    g.pools.clear();
    for (const ServerEntry& e : g.group->servers) {
      ServerPool& pool = pool_.server(e.slot, e.settings, *g.stats, *g.server_stats[g.pools.size()]);
      const bool local = !g.group->zone.empty() && e.zone == g.group->zone;
      candidates.push_back({e.slot.get(), e.backup, local, e.max_requests, e.settings.limited() ? &pool : nullptr});
      g.pools.push_back(&pool);
    }
    g.balancer.reset(g.group->balancing, *g.group->slot, std::move(candidates), g.group->hash_table, random_);
    if (g.group->queues && g.group->queue.size != 0) g.queue = queue_of(*g.group);
    g.tokens_at = loop_.now();
  }
  pool_.end_update();
}

std::shared_ptr<GroupQueue> Worker::queue_of(const GroupRuntime& group) {
  std::shared_ptr<GroupQueue>& queue = queues_[group.name];
  if (!queue) queue = std::make_shared<GroupQueue>(*this, group.slot);
  bool local = false;
  for (const ServerEntry& e : group.servers) local |= e.settings.limited();
  queue->set_local(local);
  queue->room_freed();  // limits may have changed
  return queue;
}

void Worker::serve_queue(const std::string& group) {
  if (auto it = queues_.find(group); it != queues_.end()) it->second->room_freed();
}

void Worker::refresh_balancers(const HashTables& tables) {
  for (GroupState& g : current_->groups) {
    auto it = tables.find(g.group->name);
    g.balancer.refresh(it != tables.end() ? it->second : nullptr);
    if (g.queue) g.queue->room_freed();
  }
}

void Worker::serve(std::size_t listener) {
  const ListenerRuntime& l = *current_->listeners[listener].listener;
  std::unique_ptr<ListenerSlot>& slot = slots_[l.name];
  if (!slot) {
    slot = std::make_unique<ListenerSlot>();
    slot->name = l.name;
  }
  slot->index = listener;
  slot->settings = l.session;
  slot->stats = current_->listeners[listener].stats;
}

void Worker::reopen(const std::string& name, const std::vector<WorkerListen>& listens) {
  for (std::size_t i = 0; i < current_->listeners.size(); ++i) {
    if (current_->listeners[i].listener->name != name) continue;
    serve(i);
    for (const WorkerListen& w : listens) open(w);
  }
}

void Worker::apply(std::unique_ptr<WorkerSnapshot> snapshot, const std::vector<WorkerListen>& listens) {
  WorkerSnapshot* old = current_;
  connect_pools(*snapshot);
  current_ = snapshot.get();
  ++current_->pins;
  snapshots_.push_back(std::move(snapshot));
  for (std::size_t i = 0; i < current_->listeners.size(); ++i) serve(i);
  // What waits at an old address is taken before the new one is listened on.
  for (const WorkerListen& w : listens) {
    ListenerSlot& slot = *slots_.at(w.listener);
    for (auto& a : slot.acceptors) a->on_ready();
    slot.acceptors.clear();
  }
  for (const WorkerListen& w : listens) open(w);
  if (old != nullptr) unpin(*old);
}

void Worker::open(const WorkerListen& w) {
  ListenerSlot& slot = *slots_.at(w.listener);
  slot.acceptors.push_back(std::make_unique<Acceptor>(
      loop_, w.fd, w.shared, [this](Acceptor& a) { return may_accept(a); },
      [this, &slot](int fd, const SocketAddress& peer) { accept(slot, fd, peer); },
      [this](int error) { return on_exhausted(error); }));
}

void Worker::unpin(WorkerSnapshot& s) {
  if (--s.pins > 0) return;
  auto it = std::find_if(snapshots_.begin(), snapshots_.end(), [&](const auto& p) { return p.get() == &s; });
  std::unique_ptr<WorkerSnapshot> gone = std::move(*it);
  snapshots_.erase(it);
  if (snapshots_.size() == 1) loop_.make_ready(sweeper_);  // not from inside the pool's own calls
  settings_.retire(std::move(gone));
}

// ---- connections ----

// At the limit the oldest idle connection goes, if somebody waits; if none is idle, accepting pauses for a moment.
bool Worker::may_accept(Acceptor& acceptor) {
  if (overload() == OverloadLevel::kStopAccepting) {
    acceptor.pause_for(50 * kMilli);
    return false;
  }
  if (connections_ < settings_.max_connections) return true;
  if (!acceptor.waiting()) return false;
  if (close_oldest_idle()) return true;
  stats_.connections_over_limit.add();
  acceptor.pause_for(50 * kMilli);
  return false;
}

void Worker::accept(ListenerSlot& slot, int fd, const SocketAddress& peer) {
  const ListenerRuntime& l = *current_->listeners[slot.index].listener;
  ConnectionInfo info;
  info.set_client(peer.ip(), peer.port());
  info.secure = l.secure;
  auto* s = new Session(context_, *this, Role::kServer, slot.settings, info);
  s->owner_data = &slot;
  ++connections_;
  slot.stats->connections.add();
  slot.connections.push_back(*s);
  ++slot.connection_count;
  std::unique_ptr<Transport> transport;
  bool proxied = contains(l.proxy_from, info.client);
  if (l.tls) {
    transport = l.tls->accept(loop_, *s, fd, proxied);
  } else {
    transport = std::make_unique<TcpTransport>(loop_, *s, fd, false, proxied);
  }
  s->start(std::move(transport), slot.settings.timeouts.handshake);
}

void Worker::on_new_stream(Connection& c, Stream& stream) {
  ListenerSlot& slot = *static_cast<ListenerSlot*>(c.owner_data);
  if (&slot.connections.back() != &c) {
    slot.connections.remove(c);
    slot.connections.push_back(c);
  }
  std::unique_ptr<Exchange> x;
  if (free_.empty()) {
    x = std::make_unique<Exchange>(*this);
  } else {
    x = std::move(free_.back());
    free_.pop_back();
  }
  Exchange* e = x.release();
  e->prev = nullptr;
  e->next = running_;
  if (running_ != nullptr) running_->prev = e;
  running_ = e;
  e->begin(c, stream, slot.last != nullptr ? *slot.last : *current_, slot.index);
}

void Worker::recycle(Exchange& x) {
  (x.prev != nullptr ? x.prev->next : running_) = x.next;
  if (x.next != nullptr) x.next->prev = x.prev;
  x.reset_memory();
  if (free_.size() < 256) {
    free_.emplace_back(&x);
  } else {
    loop_.destroy_later(std::unique_ptr<Deferred>(&x));
  }
}

void Worker::on_closed(Connection& c, const Error& error) {
  ListenerSlot& slot = *static_cast<ListenerSlot*>(c.owner_data);
  slot.connections.remove(c);
  --slot.connection_count;
  --connections_;
  slot.stats->connections_closed.add();
  if (error.cause == Cause::kHandshakeFailed) slot.stats->tls_failures.add();
  loop_.destroy_later(std::unique_ptr<Deferred>(&c));
  if (slot.connection_count == 0 && (slot.last != nullptr || drains())) loop_.make_ready(sweeper_);
}

bool Worker::close_oldest_idle() {
  Connection* oldest = nullptr;
  for (auto& [name, slot] : slots_) {
    int looked = 0;
    for (Connection& c : slot->connections) {
      if (++looked > 32) break;
      if (!c.idle() && c.state() != Connection::State::kLingering) continue;
      if (oldest == nullptr || c.idle_since() < oldest->idle_since()) oldest = &c;
      break;
    }
  }
  if (oldest == nullptr) return false;
  oldest->close_idle();
  return true;
}

// What is held back for a client that reads slowly, or by one that sends before a server has room.
void Worker::end_largest(std::uint64_t bytes) {
  constexpr std::size_t kMuch = 8 * 1024;
  std::vector<std::pair<std::size_t, Exchange*>> large;
  for (Exchange* x = running_; x != nullptr; x = x->next) {
    if (std::size_t held = x->bytes_held(); held >= kMuch) large.emplace_back(held, x);
  }
  std::sort(large.begin(), large.end(), std::greater<>());
  std::uint64_t freed = 0;
  for (std::size_t i = 0; i < large.size() && freed < bytes; ++i) {
    freed += large[i].first;
    large[i].second->end(Cause::kOverload);
  }
}

bool Worker::on_exhausted(int) {
  stats_.accept_failures.add();
  return close_oldest_idle();
}

}  // namespace albatross
