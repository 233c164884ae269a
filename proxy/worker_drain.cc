// Drains (PRODUCT §5): of a server, of a listener, of all. No new requests or connections, idle ones close over a
// while, tunnels and calls are told one after another, what is left at the deadline is cut.
#include <algorithm>

#include "proxy/worker.h"

namespace albatross {
namespace {

constexpr Nanos kTick = 50 * kMilli;

std::size_t due(std::size_t total, Nanos passed, Nanos span) {
  if (span == 0 || passed >= span) return total;
  return static_cast<std::size_t>(static_cast<double>(total) * static_cast<double>(passed) /
                                  static_cast<double>(span)) +
         1;
}

}  // namespace

std::size_t Drain::tunnels_due(Nanos now) const {
  return std::min(tunnels, due(tunnels, now - began, std::min<Nanos>(window / 2, tunnels * 10 * kMilli)));
}

std::size_t Drain::calls_due(Nanos now) const {
  Nanos from = began + window / 4 * 3;
  return now < from ? 0 : std::min(calls, due(calls, now - from, window / 5));
}

// ---- what drains ----

void Worker::drain_server(std::shared_ptr<ServerSlot> slot, Nanos window, Drained done) {
  undrain_server(*slot);
  if (ServerPool* pool = pool_.find(*slot)) pool_.retire(*pool);
  auto d = std::make_unique<Drain>();
  d->server = std::move(slot);
  d->window = window;
  d->done = std::move(done);
  start_drain(std::move(d));
}

void Worker::undrain_server(const ServerSlot& slot) {
  for (auto& d : drains_) {
    if (d->server.get() == &slot) d->left = 0;
  }
  finish_drains();
  if (ServerPool* pool = pool_.find(slot); pool != nullptr && !slot.draining.load()) pool->retired = false;
}

void Worker::drain_listener(const std::string& name, Nanos window, Drained done) {
  auto it = slots_.find(name);
  if (it == slots_.end()) return done({});
  ListenerSlot& slot = *it->second;
  for (auto& a : slot.acceptors) a->on_ready();  // what waits in the accept queue would be reset
  slot.acceptors.clear();
  slot.last = current_;
  ++current_->pins;
  retired_slots_.push_back(std::move(it->second));
  slots_.erase(it);
  close_over(slot, window);
  auto d = std::make_unique<Drain>();
  d->listener = &slot;
  d->window = window;
  d->done = std::move(done);
  start_drain(std::move(d));
  loop_.make_ready(sweeper_);
}

void Worker::drain_connections(const std::string& name, Nanos window, Drained done) {
  auto it = slots_.find(name);
  if (it == slots_.end()) return done({});
  close_over(*it->second, window);
  auto d = std::make_unique<Drain>();
  d->listener = it->second.get();
  d->window = window;
  d->done = std::move(done);
  // Connections that come from here on are not part of it.
  start_drain(std::move(d));
}

void Worker::drain_all(Nanos window, Drained done) {
  for_each_slot([&](ListenerSlot& slot) { close_over(slot, window); });
  auto d = std::make_unique<Drain>();
  d->window = window;
  d->done = std::move(done);
  start_drain(std::move(d));
}

void Worker::stop_accepting(bool take_waiting) {
  for (auto& [name, slot] : slots_) {
    for (auto& a : slot->acceptors) {
      if (take_waiting) a->on_ready();
    }
    slot->acceptors.clear();
  }
}

// Its idle connections close over the first half, so that clients do not come back as one herd.
void Worker::close_over(ListenerSlot& slot, Nanos window) {
  std::size_t n = slot.connection_count, i = 0;
  for (Connection& c : slot.connections) {
    c.drain(loop_.now() + std::min<Nanos>(window / 2, 10 * kSecond) * (i + 1) / (n + 1) + kMilli);
    ++i;
  }
}

// Slots of listeners that have left the configuration, once their last connection has gone.
void Worker::forget_empty_slots() {
  for (std::size_t i = 0; i < retired_slots_.size();) {
    if (retired_slots_[i]->connection_count > 0) {
      ++i;
      continue;
    }
    WorkerSnapshot* last = retired_slots_[i]->last;
    retired_slots_.erase(retired_slots_.begin() + static_cast<std::ptrdiff_t>(i));
    unpin(*last);
  }
}

// ---- how ----

bool Worker::covers(const Drain& d, const Exchange& x) const {
  if (d.server) return x.is_on(*d.server, d.began);
  return d.listener == nullptr || (x.runs_on(d.listener) && x.drains());
}

void Worker::start_drain(std::unique_ptr<Drain> d) {
  d->began = loop_.now();
  for (Exchange* x = running_; x != nullptr; x = x->next) d->left += covers(*d, *x);
  drains_.push_back(std::move(d));
  step_drains();
}

void Worker::count_left(Drain& d, Left how, bool tunnel, bool call) {
  if (d.left > 0) --d.left;
  d.report.longest = std::max(d.report.longest, loop_.now() - d.began);
  switch (how) {
    case Left::kFinished: ++d.report.finished; break;
    case Left::kMoved: ++d.report.moved; break;
    case Left::kCut: ++(tunnel ? d.report.cut_websocket : call ? d.report.cut_grpc : d.report.cut_http); break;
  }
  if (d.left == 0) loop_.make_ready(sweeper_);
}

void Worker::left_server(const ServerSlot& slot, Nanos since, Left how, bool tunnel, bool call) {
  for (auto& d : drains_) {
    if (d->server.get() == &slot && since <= d->began && d->left > 0) return count_left(*d, how, tunnel, call);
  }
}

void Worker::left(const Exchange& x, Left how, bool tunnel, bool call) {
  for (auto& d : drains_) {
    if (!d->server && covers(*d, x)) count_left(*d, how, tunnel, call);
  }
}

// Anew each time: a request may have become a tunnel, and a kept connection may bring another one.
void Worker::count_what_is_left(Drain& d) {
  d.left = 0;
  d.tunnels = d.told_tunnels;
  d.calls = d.told_calls;
  for (Exchange* x = running_; x != nullptr; x = x->next) {
    if (!covers(d, *x)) continue;
    ++d.left;
    d.tunnels += x->is_tunnel() && !x->told();
    d.calls += x->is_call() && !x->told();
  }
}

void Worker::step_drains() {
  Nanos now = loop_.now(), next = now + kTick;
  for (auto& owned : drains_) {
    Drain* d = owned.get();
    Nanos deadline = d->began + d->window;
    bool over = now >= deadline;
    count_what_is_left(*d);
    std::size_t tunnels = d->tunnels_due(now), calls = d->calls_due(now);
    for (Exchange *x = running_, *after; x != nullptr && d->left > 0; x = after) {
      after = x->next;
      if (!covers(*d, *x)) continue;
      if (over) {
        x->cut();
      } else if (x->is_tunnel() && d->told_tunnels < tunnels && x->leave_politely()) {
        ++d->told_tunnels;
      } else if (x->is_call() && d->told_calls < calls && x->leave_politely()) {
        ++d->told_calls;
      }
    }
    if (over && !d->cut) cut_connections(*d);
    d->cut = over;
    if (!over) next = std::min(next, deadline);
  }
  finish_drains();
  if (!drains_.empty()) loop_.set_timer(drain_timer_, next);
}

// An answer that was just given may still leave: its connection lingers and goes by itself.
void Worker::cut_connections(const Drain& d) {
  if (d.server) return;
  for_each_slot([&](ListenerSlot& slot) {
    if (d.listener != nullptr && d.listener != &slot) return;
    for (Connection& c : slot.connections) {
      if (c.draining()) c.cut(internal_error(Cause::kDrainCut));
    }
  });
}

bool Worker::is_over(const Drain& d) const {
  if (d.left > 0) return false;
  if (d.server) return true;
  auto empty = [&d](const auto& slot) {
    if (d.listener != nullptr && d.listener != slot.get()) return true;
    for (const Connection& c : slot->connections) {
      if (d.listener == nullptr || c.draining()) return false;
    }
    return true;
  };
  for (const auto& [name, slot] : slots_) {
    if (!empty(slot)) return false;
  }
  return std::all_of(retired_slots_.begin(), retired_slots_.end(), empty);
}

void Worker::finish_drains() {
  for (std::size_t i = 0; i < drains_.size();) {
    if (!is_over(*drains_[i])) {
      ++i;
      continue;
    }
    std::unique_ptr<Drain> d = std::move(drains_[i]);
    drains_.erase(drains_.begin() + static_cast<std::ptrdiff_t>(i));
    d->done(d->report);
  }
}

}  // namespace albatross
