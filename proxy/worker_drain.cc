// A server drains: no new requests, idle connections close, tunnels and calls are told one after another, what is left at the
// deadline is cut.
#include <algorithm>

#include "proxy/worker.h"

namespace albatross {
namespace {

constexpr Nanos kTick = 50 * kMilli;

std::size_t due(std::size_t total, Nanos passed, Nanos span) {
  if (span == 0 || passed >= span) return total;
  return static_cast<std::size_t>(static_cast<double>(total) * static_cast<double>(passed) / static_cast<double>(span)) + 1;
}

}  // namespace

std::size_t ServerDrain::tunnels_due(Nanos now) const {
  return std::min(tunnels, due(tunnels, now - began, std::min<Nanos>(window / 2, tunnels * 10 * kMilli)));
}

std::size_t ServerDrain::calls_due(Nanos now) const {
  Nanos from = began + window / 4 * 3;
  return now < from ? 0 : std::min(calls, due(calls, now - from, window / 5));
}

void Worker::drain_server(std::shared_ptr<ServerSlot> slot, Nanos window, std::function<void(const DrainReport&)> done) {
  undrain_server(*slot);
  if (ServerPool* pool = pool_.find(*slot)) pool_.retire(*pool);
  auto d = std::make_unique<ServerDrain>();
  d->slot = std::move(slot);
  d->began = loop_.now();
  d->window = window;
  d->done = std::move(done);
  for (Exchange* x = running_; x != nullptr; x = x->next) d->left += x->is_on(*d->slot);
  server_drains_.push_back(std::move(d));
  step_server_drains();
}

void Worker::undrain_server(const ServerSlot& slot) {
  for (auto& d : server_drains_) {
    if (d->slot.get() == &slot) d->left = 0;
  }
  finish_server_drains();
  if (ServerPool* pool = pool_.find(slot); pool != nullptr && !slot.draining.load()) pool->retired = false;
}

void Worker::left_server(const ServerSlot& slot, Left how, bool tunnel, bool call) {
  for (auto& d : server_drains_) {
    if (d->slot.get() != &slot || d->left == 0) continue;
    --d->left;
    d->report.longest = std::max(d->report.longest, loop_.now() - d->began);
    switch (how) {
      case Left::kFinished: ++d->report.finished; break;
      case Left::kMoved: ++d->report.moved; break;
      case Left::kCut: ++(tunnel ? d->report.cut_websocket : call ? d->report.cut_grpc : d->report.cut_http); break;
    }
    if (d->left == 0) loop_.make_ready(sweeper_);
    return;
  }
}

// Anew each time: a request may have become a tunnel.
void Worker::count_what_is_left(ServerDrain& d) {
  d.tunnels = d.told_tunnels;
  d.calls = d.told_calls;
  for (Exchange* x = running_; x != nullptr; x = x->next) {
    if (!x->is_on(*d.slot) || x->told()) continue;
    d.tunnels += x->is_tunnel();
    d.calls += x->is_call();
  }
}

void Worker::step_server_drains() {
  Nanos now = loop_.now();
  for (auto& owned : server_drains_) {
    ServerDrain* d = owned.get();
    bool over = now >= d->began + d->window;
    count_what_is_left(*d);
    std::size_t tunnels = d->tunnels_due(now), calls = d->calls_due(now);
    for (Exchange *x = running_, *next; x != nullptr && d->left > 0; x = next) {
      next = x->next;
      if (!x->is_on(*d->slot)) continue;
      if (over) {
        x->cut();
      } else if (x->is_tunnel() && d->told_tunnels < tunnels && x->leave_politely()) {
        ++d->told_tunnels;
      } else if (x->is_call() && d->told_calls < calls && x->leave_politely()) {
        ++d->told_calls;
      }
    }
  }
  context_.finish_turn();
  finish_server_drains();
  if (!server_drains_.empty()) loop_.set_timer(server_drain_timer_, now + kTick);
}

void Worker::finish_server_drains() {
  for (std::size_t i = 0; i < server_drains_.size();) {
    if (server_drains_[i]->left > 0) {
      ++i;
      continue;
    }
    std::unique_ptr<ServerDrain> d = std::move(server_drains_[i]);
    server_drains_.erase(server_drains_.begin() + static_cast<std::ptrdiff_t>(i));
    d->done(d->report);
  }
}

}  // namespace albatross
