// The services that all parts of one worker use: its loop, its pool, its drains, its counters, and functions that reach
// the rest of the process. Owned by the Worker; its thread, except for the functions in WorkerSettings.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.h"
#include "base/siphash.h"
#include "net/loop.h"
#include "proxy/asked.h"
#include "proxy/overload.h"
#include "proxy/stats.h"
#include "session/session_context.h"
#include "telemetry/access_log.h"

namespace albatross {

class Drains;
class GroupState;
class UpstreamPool;

struct WorkerSettings {
  int index = 0;
  std::uint32_t max_connections = 100'000;  // this worker's share
  AccessLog* log = nullptr;
  const std::atomic<OverloadLevel>* overload = nullptr;
  StatsRegistry* stats = nullptr;
  std::string instance;  // names this process in the albatross-trace field, which counts loops
  // Sends an object that the worker does not need any more to the control thread, which destroys it.
  std::function<void(std::shared_ptr<void>)> retire;
  EventLog event;  // any thread
  // Explains the request in the event log; any thread. Null: nobody does.
  std::function<void(AskedRequest)> asked;
  // Makes that worker serve its queue of the group; any thread.
  std::function<void(int worker, const std::string& group)> wake_queue;
};

// The text of a Date field, "Mon, 23 Nov 2026 06:00:00 GMT", updated once a second.
class HttpDate {
 public:
  std::string_view text(Nanos wall);

 private:
  Nanos second_ = 0;
  char text_[32] = {};
};

struct Services {
  Services(const Clock& clock, WorkerSettings s)
      : settings(std::move(s)), loop(clock), sessions(loop), stats(settings.stats->worker(settings.index)) {}

  Nanos now() const { return loop.now(); }
  int index() const { return settings.index; }
  int workers() const { return settings.stats->workers(); }
  AccessLog& log() const { return *settings.log; }
  void event(Level level, const std::string& what) { settings.event(level, what); }
  OverloadLevel overload() const { return settings.overload->load(std::memory_order_relaxed); }
  // Null if the group has left the configuration and nothing runs on it.
  GroupState* group(std::uint32_t id) const { return id < groups.size() ? groups[id] : nullptr; }

  WorkerSettings settings;
  Loop loop;
  SessionContext sessions;
  Random random;
  WorkerStats& stats;
  HttpDate date;
  std::array<EventLimit, static_cast<std::size_t>(Cause::kCount)> failures;  // events of failures, by cause
  UpstreamPool* pool = nullptr;
  Drains* drains = nullptr;
  std::vector<GroupState*> groups;  // by GroupSlot::id
};

}  // namespace albatross
