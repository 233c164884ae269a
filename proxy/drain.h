// A drain of one worker, and the report on it. Drains owns each Drain. Worker's thread. A DrainReport is a value: each
// worker fills its own, and the control thread adds them up.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "routing/balancing/server_table.h"

namespace albatross {

struct ListenerSlot;

struct DrainReport {
  std::uint64_t finished = 0;  // ended by themselves
  std::uint64_t moved = 0;  // told to go elsewhere before the deadline (1001, UNAVAILABLE), or tried on another server
  std::uint64_t cut_http = 0, cut_websocket = 0, cut_grpc = 0;
  Nanos longest = 0;  // nanoseconds from the beginning of the drain to the last end

  std::uint64_t cut() const { return cut_http + cut_websocket + cut_grpc; }
  void add(const DrainReport& o) {
    finished += o.finished;
    moved += o.moved;
    cut_http += o.cut_http;
    cut_websocket += o.cut_websocket;
    cut_grpc += o.cut_grpc;
    if (o.longest > longest) longest = o.longest;
  }
};

// One worker's part in the drain of a server, of a listener's connections, or of all connections.
struct Drain {
  std::shared_ptr<ServerSlot> server;      // set: a drain of this server
  const ListenerSlot* listener = nullptr;  // set: a drain of this listener; if neither is set: of all connections
  Nanos began = 0;
  Nanos window = 0;
  bool cut = false;                           // the deadline has passed and the remaining flows were cut
  std::size_t left = 0;                       // flows that have not ended yet
  std::size_t tunnels = 0, told_tunnels = 0;  // all of them, and those told to go elsewhere
  std::size_t calls = 0, told_calls = 0;      // the same of gRPC calls
  DrainReport report;
  std::function<void(const DrainReport&)> done;

  // How many must have been told by `now`. Tunnels do not end by themselves, so they are told first: a hundred a
  // second, or faster if half of the window would not suffice. Calls may end by themselves: they are told after three
  // quarters of the window.
  std::size_t tunnels_due(Nanos now) const;
  std::size_t calls_due(Nanos now) const;
};

}  // namespace albatross
