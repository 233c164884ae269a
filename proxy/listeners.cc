#include "proxy/listeners.h"

#include <algorithm>
#include <cstring>

#include "tls/tls_server.h"

namespace albatross {

Listeners::Listeners(Services& services, OnStream on_stream, std::function<void(ListenerSlot&)> closed)
    : services_(services), on_stream_(std::move(on_stream)), closed_(std::move(closed)) {}

Listeners::~Listeners() {
  listening_.clear();
  close_all();
  each([](ListenerSlot& slot) { delete slot.view; });
}

void Listeners::close_all() {
  each([](ListenerSlot& slot) {
    while (!slot.connections.empty()) slot.connections.front().fail(internal_error(Cause::kDrainCut));
  });
}

// ---- versions ----

std::vector<ListenerSlot*> Listeners::serve(const Snapshot& snapshot, Matchers& matchers) {
  for (auto& [name, slot] : slots_) slot->retired = true;
  for (const auto& listener : snapshot.listeners) {
    std::unique_ptr<ListenerSlot>& slot = slots_[listener->name];
    if (!slot) {
      slot = std::make_unique<ListenerSlot>();
      slot->name = listener->name;
    }
    slot->retired = false;
    if (slot->view == nullptr || slot->view->listener != listener) serve(*slot, listener, matchers);
  }
  std::vector<ListenerSlot*> gone;
  for (auto it = slots_.begin(); it != slots_.end();) {
    if (!it->second->retired) {
      ++it;
      continue;
    }
    gone.push_back(it->second.get());
    retired_.push_back(std::move(it->second));
    it = slots_.erase(it);
  }
  return gone;
}

void Listeners::serve(ListenerSlot& slot, const std::shared_ptr<const ListenerRuntime>& listener, Matchers& matchers) {
  ListenerView* old = slot.view;
  auto view = std::make_unique<ListenerView>();
  view->listener = listener;
  if (old != nullptr && old->listener->rules == listener->rules) {
    view->rules = old->rules;
  } else {
    view->rules = std::make_shared<WorkerRules>();
    view->rules->rules = listener->rules;
    view->rules->matcher = std::move(matchers.at(listener->rules.get()));
    for (const RuleStatsRef& s : listener->rules->stats) view->rules->stats.push_back(&s->of(services_.index()));
  }
  slot.settings = listener->session;
  slot.stats_ref = listener->stats;
  slot.stats = &listener->stats->of(services_.index());
  slot.view = view.release();
  if (old == nullptr) return;
  old->current = false;
  ++outdated_;
  unpin(*old);
}

void Listeners::unpin(ListenerView& view) {
  if (--view.pins > 0) return;
  --outdated_;
  services_.settings.retire(std::shared_ptr<ListenerView>(&view));
}

// ---- sockets ----

void Listeners::listen(const std::vector<WorkerListen>& listens) {
  for (auto& [fd, l] : listening_) l->wanted = false;
  for (const WorkerListen& w : listens) {
    std::unique_ptr<Listening>& l = listening_[w.fd];
    const bool is_new = !l;
    if (is_new) l = std::make_unique<Listening>();
    l->slot = slots_.at(w.listener).get();
    l->wanted = true;
    if (!is_new) continue;
    l->acceptor = std::make_unique<Acceptor>(
        services_.loop, w.fd, w.shared, [this](Acceptor& a) { return may_accept(a); },
        [this, to = l.get()](int fd, const SocketAddress& peer) { accept(*to->slot, fd, peer); },
        [this](int) {
          services_.stats.accept_failures.add();
          return close_oldest_idle();
        });
  }
  for (auto& [fd, l] : listening_) {
    if (!l->wanted) l->acceptor->take_all();
  }
  std::erase_if(listening_, [](const auto& entry) { return !entry.second->wanted; });
}

void Listeners::stop_listening(bool take_waiting) {
  if (take_waiting) return listen({});
  listening_.clear();
}

ListenerSlot* Listeners::find(const std::string& name) {
  auto it = slots_.find(name);
  return it != slots_.end() ? it->second.get() : nullptr;
}

void Listeners::sweep(const std::function<bool(const ListenerSlot&)>& used) {
  std::erase_if(retired_, [&](const std::unique_ptr<ListenerSlot>& slot) {
    if (slot->connection_count > 0 || !slot->flows.empty() || used(*slot)) return false;
    slot->view->current = false;
    ++outdated_;
    unpin(*slot->view);
    return true;
  });
}

// ---- connections ----

// At the limit the oldest idle connection is closed if a client waits. If none is idle, accepting pauses for 50 ms.
bool Listeners::may_accept(Acceptor& acceptor) {
  if (services_.overload() == OverloadLevel::kStopAccepting) {
    acceptor.pause_for(50 * kMilli);
    return false;
  }
  if (connections_ < services_.settings.max_connections) return true;
  if (!acceptor.waiting()) return false;
  if (close_oldest_idle()) return true;
  services_.stats.connections_over_limit.add();
  acceptor.pause_for(50 * kMilli);
  return false;
}

void Listeners::accept(ListenerSlot& slot, int fd, const SocketAddress& peer) {
  const ListenerRuntime& l = *slot.view->listener;
  ConnectionInfo info;
  info.set_client(peer.ip(), peer.port());
  info.secure = l.secure;
  auto* s = new Session(services_.sessions, *this, Role::kServer, slot.settings, info);
  s->owner_data = &slot;
  ++connections_;
  ++slot.connection_count;
  slot.stats->connections.add();
  slot.connections.push_back(*s);
  std::unique_ptr<Transport> transport;
  const bool proxied = contains(l.proxy_from, info.client);
  if (l.tls) {
    transport = l.tls->accept(services_.loop, *s, fd, proxied);
  } else {
    transport = std::make_unique<TcpTransport>(services_.loop, *s, fd, false, proxied);
  }
  s->start(std::move(transport), slot.settings.timeouts.handshake);
}

void Listeners::on_new_stream(Connection& c, Stream& stream) {
  ListenerSlot& slot = *static_cast<ListenerSlot*>(c.owner_data);
  if (&slot.connections.back() != &c) {
    slot.connections.remove(c);
    slot.connections.push_back(c);
  }
  on_stream_(slot, c, stream);
}

void Listeners::on_closed(Connection& c, const Error& error) {
  ListenerSlot& slot = *static_cast<ListenerSlot*>(c.owner_data);
  slot.connections.remove(c);
  --slot.connection_count;
  --connections_;
  slot.stats->connections_closed.add();
  if (error.cause == Cause::kHandshakeFailed) {
    slot.stats->tls_failures.add();
    tell_of_handshake(slot.name, c.info(), error);
  }
  services_.loop.destroy_later(std::unique_ptr<Deferred>(&c));
  closed_(slot);
}

void Listeners::tell_of_handshake(const std::string& listener, const ConnectionInfo& client, const Error& error) {
  EventLimit& limit = services_.failures[static_cast<std::size_t>(error.cause)];
  if (!limit.pass(services_.now())) return;
  const char* why = error.detail != nullptr ? error.detail
                    : error.system != 0     ? strerrordesc_np(error.system)
                                            : "the client closed the connection";
  services_.event(Level::kInfo, "listener " + listener + ": client " + std::string(client.client_text()) + " port " +
                                    std::to_string(client.client_port) + ": the handshake failed: " + why +
                                    limit.held());
}

// Looks at the oldest 32 connections of each listener.
bool Listeners::close_oldest_idle() {
  constexpr int kLooked = 32;
  Connection* oldest = nullptr;
  for (auto& [name, slot] : slots_) {
    int looked = 0;
    for (Connection& c : slot->connections) {
      if (++looked > kLooked) break;
      if (!c.idle() && c.state() != Connection::State::kLingering) continue;
      if (oldest == nullptr || c.idle_since() < oldest->idle_since()) oldest = &c;
      break;
    }
  }
  if (oldest == nullptr) return false;
  oldest->close_idle();
  return true;
}

}  // namespace albatross
