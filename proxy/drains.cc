#include "proxy/drains.h"

#include <algorithm>

#include "proxy/listeners.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/pool.h"

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

Drains::~Drains() { loop_.cancel_timer(timer_); }

// ---- what drains ----

void Drains::drain_server(std::shared_ptr<ServerSlot> slot, Nanos window, Done done) {
  undrain_server(*slot);
  if (ServerPool* pool = pool_.find(*slot)) pool_.retire(*pool);
  auto d = std::make_unique<Drain>();
  d->server = std::move(slot);
  d->window = window;
  d->done = std::move(done);
  start(std::move(d));
}

void Drains::undrain_server(const ServerSlot& slot) {
  for (auto& d : drains_) {
    if (d->server.get() == &slot) d->left = 0;
  }
  finish();
  if (ServerPool* pool = pool_.find(slot); pool != nullptr && !slot.draining.load()) pool->retired = false;
}

void Drains::drain_connections(ListenerSlot* listener, Nanos window, Done done) {
  listeners_.each([&](ListenerSlot& slot) {
    if (listener == nullptr || listener == &slot) close_over(slot, window);
  });
  auto d = std::make_unique<Drain>();
  d->listener = listener;
  d->window = window;
  d->done = std::move(done);
  start(std::move(d));
}

// Idle connections close one after another over the first half of the window, so that clients do not all come back at
// once.
void Drains::close_over(ListenerSlot& slot, Nanos window) {
  const Nanos span = std::min<Nanos>(window / 2, 10 * kSecond);
  const std::size_t n = slot.connection_count;
  std::size_t i = 0;
  for (Connection& c : slot.connections) c.drain(loop_.now() + span * ++i / (n + 1) + kMilli);
}

// ---- how ----

bool Drains::covers(const Drain& d, const Flow& flow) {
  return d.listener == nullptr || (flow.listener() == d.listener && flow.client_drains());
}

// Calls f(flow) for each flow that the drain covers; f may end that flow.
template <class F>
void Drains::each_flow(const Drain& d, F f) {
  if (d.server) {
    ServerPool* pool = pool_.find(*d.server);
    if (pool == nullptr) return;
    for (Lease& lease : pool->leases) {
      if (lease.since() <= d.began) f(lease.flow());
    }
    return;
  }
  listeners_.each([&](ListenerSlot& slot) {
    if (d.listener != nullptr && d.listener != &slot) return;
    for (Flow& flow : slot.flows) {
      if (covers(d, flow)) f(flow);
    }
  });
}

void Drains::start(std::unique_ptr<Drain> d) {
  d->began = loop_.now();
  drains_.push_back(std::move(d));
  step_all();
}

void Drains::count(Drain& d, Flow::Left how, Flow::Kind kind) {
  if (d.left > 0) --d.left;
  d.report.longest = std::max(d.report.longest, loop_.now() - d.began);
  switch (how) {
    case Flow::Left::kFinished: ++d.report.finished; break;
    case Flow::Left::kMoved: ++d.report.moved; break;
    case Flow::Left::kCut:
      ++(kind == Flow::Kind::kTunnel ? d.report.cut_websocket
         : kind == Flow::Kind::kCall ? d.report.cut_grpc
                                     : d.report.cut_http);
      break;
  }
  if (d.left == 0) loop_.make_ready(*this);
}

void Drains::left(const Lease& lease, Flow::Left how) {
  for (auto& d : drains_) {
    if (d->server.get() != &lease.slot() || lease.since() > d->began || d->left == 0) continue;
    return count(*d, how, lease.flow().kind());
  }
}

void Drains::left(const Flow& flow) {
  for (auto& d : drains_) {
    if (!d->server && covers(*d, flow)) count(*d, flow.left(), flow.kind());
  }
}

// Counts again each time, because a request may have become a tunnel and a kept connection may bring another request.
void Drains::count_what_is_left(Drain& d) {
  d.left = 0;
  d.tunnels = d.told_tunnels;
  d.calls = d.told_calls;
  each_flow(d, [&d](const Flow& flow) {
    ++d.left;
    if (flow.told()) return;
    d.tunnels += flow.kind() == Flow::Kind::kTunnel;
    d.calls += flow.kind() == Flow::Kind::kCall;
  });
}

// Tells the flows that are due, or cuts all. True if the deadline has passed.
bool Drains::step(Drain& d) {
  const Nanos now = loop_.now();
  const bool over = now >= d.began + d.window;
  count_what_is_left(d);
  const std::size_t tunnels = d.tunnels_due(now), calls = d.calls_due(now);
  each_flow(d, [&](Flow& flow) {
    if (over) return flow.cut();
    const Flow::Kind kind = flow.kind();
    if (kind == Flow::Kind::kTunnel && d.told_tunnels < tunnels) {
      d.told_tunnels += flow.go_away();
    } else if (kind == Flow::Kind::kCall && d.told_calls < calls) {
      d.told_calls += flow.go_away();
    }
  });
  if (over && !d.cut) cut_connections(d);
  d.cut = over;
  return over;
}

void Drains::step_all() {
  Nanos next = loop_.now() + kTick;
  for (std::size_t i = 0; i < drains_.size(); ++i) {
    Drain& d = *drains_[i];
    if (!step(d)) next = std::min(next, d.began + d.window);
  }
  finish();
  if (any()) loop_.set_timer(timer_, next);
}

// An answer that was just given may still be sent: its connection lingers and closes by itself.
void Drains::cut_connections(const Drain& d) {
  if (d.server) return;
  listeners_.each([&](ListenerSlot& slot) {
    if (d.listener != nullptr && d.listener != &slot) return;
    for (Connection& c : slot.connections) {
      if (c.draining()) c.cut(internal_error(Cause::kDrainCut));
    }
  });
}

bool Drains::is_over(const Drain& d) {
  if (d.left > 0) return false;
  if (d.server) return true;
  bool over = true;
  listeners_.each([&](const ListenerSlot& slot) {
    if (d.listener != nullptr && d.listener != &slot) return;
    for (const Connection& c : slot.connections) {
      if (d.listener != nullptr && !c.draining()) continue;
      over = false;
      return;
    }
  });
  return over;
}

bool Drains::concerns(const ListenerSlot& slot) const {
  return std::any_of(drains_.begin(), drains_.end(), [&slot](const auto& d) { return d->listener == &slot; });
}

void Drains::finish() {
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
