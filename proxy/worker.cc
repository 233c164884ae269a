#include "proxy/worker.h"

#include <algorithm>
#include <ctime>

namespace albatross {

std::string_view HttpDate::text(Nanos wall) {
  const Nanos second = wall / kSecond;
  if (second != second_) {
    second_ = second;
    const std::time_t t = static_cast<std::time_t>(second);
    std::tm tm;
    gmtime_r(&t, &tm);
    std::strftime(text_, sizeof text_, "%a, %d %b %Y %H:%M:%S GMT", &tm);
  }
  return text_;
}

Worker::Worker(const Clock& clock, WorkerSettings settings)
    : services_(clock, std::move(settings)),
      pool_(
          services_.sessions, [this] { return listeners_.close_oldest_idle(); },
          [this](ServerPool& p) { serve_queue(p.slot->group); }),
      listeners_(
          services_, [this](ListenerSlot& slot, Connection& c, Stream& stream) { begin(slot, c, stream); },
          [this](ListenerSlot& slot) {
            drains_.connection_closed();
            if (slot.retired && slot.connection_count == 0) services_.loop.make_ready(sweeper_);
          }),
      drains_(services_.loop, listeners_, pool_) {
  services_.pool = &pool_;
  services_.drains = &drains_;
}

Worker::~Worker() {
  listeners_.stop_listening(false);
  listeners_.close_all();
  pool_.close_all();
}

void Worker::start() {
  thread_ = std::thread([this] { services_.loop.run(); });
}

void Worker::join() {
  services_.loop.stop();
  if (thread_.joinable()) thread_.join();
}

// ---- configuration ----

// Returns the state of a group that was removed while requests still ran on it, so that it goes on with that state.
std::unique_ptr<GroupState> Worker::revived(const GroupRuntime& group) {
  auto it = std::find_if(removed_.begin(), removed_.end(),
                         [&group](const auto& g) { return g->settings().slot == group.slot; });
  if (it == removed_.end()) return nullptr;
  std::unique_ptr<GroupState> state = std::move(*it);
  removed_.erase(it);
  return state;
}

void Worker::serve_group(const std::shared_ptr<const GroupRuntime>& group) {
  std::unique_ptr<GroupState>& state = groups_[group->name];
  if (!state) state = revived(*group);
  if (!state) state = std::make_unique<GroupState>(services_);
  if (group->slot->id >= services_.groups.size()) services_.groups.resize(group->slot->id + 1);
  services_.groups[group->slot->id] = state.get();
  state->update(group);
}

void Worker::apply(WorkerUpdate update, const std::vector<WorkerListen>& listens,
                   const std::vector<std::string>& changed, Nanos window,
                   const std::map<std::string, Drained>& drained) {
  std::map<std::string, const GroupRuntime*> named;
  for (const auto& g : update.snapshot->groups) {
    named[g->name] = g.get();
    auto it = groups_.find(g->name);
    if (it == groups_.end() || &it->second->settings() != g.get()) serve_group(g);
  }
  for (auto it = groups_.begin(); it != groups_.end();) {
    if (named.contains(it->first)) {
      ++it;
      continue;
    }
    it->second->remove();
    removed_.push_back(std::move(it->second));
    it = groups_.erase(it);
  }
  std::vector<ListenerSlot*> gone = listeners_.serve(*update.snapshot, update.matchers);
  listeners_.listen(listens);
  auto drain = [&](ListenerSlot* slot) {
    drains_.drain_connections(slot, window, [this, done = drained.at(slot->name)](const DrainReport& report) {
      done(report);
      services_.loop.make_ready(sweeper_);
    });
  };
  for (ListenerSlot* slot : gone) drain(slot);
  for (const std::string& name : changed) drain(listeners_.find(name));
  detach_from_outdated();
  services_.loop.make_ready(sweeper_);
  services_.settings.retire(std::const_pointer_cast<Snapshot>(std::exchange(update.snapshot, nullptr)));
}

void Worker::apply_group(const std::shared_ptr<const GroupRuntime>& group) {
  serve_group(group);
  services_.loop.make_ready(sweeper_);
}

// Long-running flows must not keep an old version alive.
void Worker::detach_from_outdated() {
  if (listeners_.outdated() == 0) return;
  listeners_.each([](ListenerSlot& slot) {
    for (Flow& flow : slot.flows) flow.detach();
  });
}

void Worker::refresh_balancers(const HashTables& tables) {
  for (auto& [name, group] : groups_) {
    auto it = tables.find(name);
    group->refresh(it != tables.end() ? it->second : nullptr);
  }
}

void Worker::serve_queue(const std::string& group) {
  if (auto it = groups_.find(group); it != groups_.end()) it->second->room_freed();
  for (auto& g : removed_) {
    if (g->settings().name == group) g->room_freed();
  }
}

// Destroys the parts that are unused after a change. A removed group stays while an old version of a listener may still
// name it.
void Worker::sweep() {
  listeners_.sweep([this](const ListenerSlot& slot) { return drains_.concerns(slot); });
  pool_.sweep();
  if (listeners_.outdated() > 0 || listeners_.any_retired()) return;
  std::erase_if(removed_, [this](const std::unique_ptr<GroupState>& g) {
    if (!g->idle()) return false;
    std::replace(services_.groups.begin(), services_.groups.end(), g.get(), static_cast<GroupState*>(nullptr));
    g->forget_servers();
    return true;
  });
  pool_.sweep();
}

void Worker::drain_connections(const std::string& listener, Nanos window, Drained done) {
  ListenerSlot* slot = listeners_.find(listener);
  if (slot == nullptr) return done({});
  drains_.drain_connections(slot, window, std::move(done));
}

// ---- exchanges ----

void Worker::begin(ListenerSlot& slot, Connection& c, Stream& stream) {
  std::unique_ptr<Exchange> x;
  if (free_.empty()) {
    x = std::make_unique<Exchange>(services_, static_cast<ExchangeOwner&>(*this));
  } else {
    x = std::move(free_.back());
    free_.pop_back();
  }
  slot.flows.push_front(*x);
  x.release()->begin(slot, c, stream);
}

void Worker::recycle(Exchange& x) {
  IntrusiveList<Flow, OfListener>::remove(x);
  if (free_.size() < 256) {
    free_.emplace_back(&x);
  } else {
    services_.loop.destroy_later(std::unique_ptr<Deferred>(&x));
  }
}

void Worker::unpin(ListenerView& view) {
  listeners_.unpin(view);
  if (listeners_.outdated() == 0 && !removed_.empty()) services_.loop.make_ready(sweeper_);
}

// Flows hold memory for clients that read slowly, and for requests that came before a server had room.
void Worker::end_largest(std::uint64_t bytes) {
  constexpr std::size_t kMuch = 8 * 1024;
  std::vector<std::pair<std::size_t, Flow*>> large;
  listeners_.each([&large](ListenerSlot& slot) {
    for (Flow& flow : slot.flows) {
      if (std::size_t held = flow.bytes_held(); held >= kMuch) large.emplace_back(held, &flow);
    }
  });
  std::sort(large.begin(), large.end(), std::greater<>());
  std::uint64_t freed = 0;
  for (std::size_t i = 0; i < large.size() && freed < bytes; ++i) {
    freed += large[i].first;
    large[i].second->end(Cause::kOverload);
  }
}

}  // namespace albatross
