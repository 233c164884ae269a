// Measures on the control thread; the workers act on the level.
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>

#include "process/overload_watch.h"

namespace albatross {
namespace {

constexpr Nanos kInterval = 200 * kMilli;

const char* what_it_does(OverloadLevel level) {
  switch (level) {
    case OverloadLevel::kNone: return "normal operation";
    case OverloadLevel::kNoKeepAlive: return "connections are not kept";
    case OverloadLevel::kEndLargest: return "the exchanges that hold the most memory are ended";
    case OverloadLevel::kRefuse: return "new requests get 503";
    case OverloadLevel::kStopAccepting: return "no connections are accepted";
  }
  return "";
}

std::string percent(double ratio) { return std::to_string(static_cast<int>(ratio * 100 + 0.5)) + " %"; }

}  // namespace

void OverloadWatch::start() {
  std::error_code ignored;  // without /proc, descriptors are not counted
  const auto files = std::filesystem::directory_iterator("/proc/self/fd", ignored);
  own_descriptors_ = static_cast<std::uint64_t>(std::distance(begin(files), end(files)));
  rlimit l{};
  getrlimit(RLIMIT_NOFILE, &l);
  resources_.descriptor_limit = l.rlim_cur == RLIM_INFINITY ? 0 : l.rlim_cur;
  watch();
}

// Runs every 200 ms. Connections are counted where they are opened, because reading /proc/self/fd takes longer than
// everything else here.
void OverloadWatch::watch() {
  resources_.memory = resident_memory();
  resources_.memory_limit = serving_.config->max_memory ? **serving_.config->max_memory : cgroup_memory_limit();
  resources_.descriptors = own_descriptors_;
  stats_.visit([this](const auto& listeners, const auto& groups, const auto&, const auto&) {
    for (const auto& [name, id] : listeners.names()) {
      resources_.descriptors +=
          listeners.sum(name, [](const ListenerStats& s) { return s.connections.get() - s.connections_closed.get(); });
    }
    for (const auto& [name, id] : groups.names()) {
      resources_.descriptors += groups.sum(name, [](const GroupStats& s) {
        return s.connects.get() - s.connections_closed.get() - s.sync_failures.get();
      });
    }
  });
  OverloadLevel before = level_.load(), now = next_level(before, resources_);
  if (now != before) changed(before, now);
  if (now >= OverloadLevel::kEndLargest) end_largest();
  if (now != OverloadLevel::kNone) ::malloc_trim(0);  // freed memory stays resident until then
  // Nothing else wakes the queues when an ejection or a slow start is over.
  for (const auto& g : serving_.snapshot->groups) {
    if (g->slot->waiting.load() == 0) continue;
    serving_.workers.post_all([name = g->name](Worker& w) { w.serve_queue(name); });
  }
  if (++watches_ % (PortWatch::kInterval / kInterval) == 1) ports_.sample(*serving_.snapshot);
  loop_.set_timer(timer_, loop_.now() + kInterval);
}

// Frees memory down to 85 %, where the second level ends.
void OverloadWatch::end_largest() {
  const auto enough = static_cast<std::uint64_t>(static_cast<double>(resources_.memory_limit) * 0.85);
  if (resources_.memory_limit == 0 || resources_.memory <= enough) return;
  const std::uint64_t share = (resources_.memory - enough) / serving_.workers.size() + 1;
  serving_.workers.post_all([share](Worker& w) { w.end_largest(share); });
}

void OverloadWatch::changed(OverloadLevel before, OverloadLevel now) {
  level_.store(now);
  serving_.log(Level::kWarning, "overload level " + std::to_string(static_cast<int>(now)) + ", was " +
                                    std::to_string(static_cast<int>(before)) + ": " + what_it_does(now) + "; memory " +
                                    percent(resources_.memory_ratio()) + ", descriptors " +
                                    percent(resources_.descriptor_ratio()));
  if (before != OverloadLevel::kNone) return;
  serving_.workers.post_all([](Worker& w) { w.close_idle_servers(); });
}

}  // namespace albatross
