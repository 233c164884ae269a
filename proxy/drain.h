// What became of what ran when something began to drain (PRODUCT §5). Counted by each worker, added up on the control
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "routing/balancing/server_table.h"

namespace albatross {

struct ListenerSlot;

struct DrainReport {
  std::uint64_t finished = 0;  // by themselves
  std::uint64_t moved = 0;     // told to go elsewhere before the deadline: 1001, UNAVAILABLE, another try
  std::uint64_t cut_http = 0, cut_websocket = 0, cut_grpc = 0;
  Nanos longest = 0;  // from the drain's beginning to the last end

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

// One worker's part in a drain: of a server, of a listener's connections, or of all connections. Worker's thread.
struct Drain {
  std::shared_ptr<ServerSlot> server;      // or
  const ListenerSlot* listener = nullptr;  // neither: everything
  Nanos began = 0;
  Nanos window = 0;
  bool cut = false;                           // the deadline has passed
  std::size_t left = 0;                       // flows
  std::size_t tunnels = 0, told_tunnels = 0;  // so far
  std::size_t calls = 0, told_calls = 0;      // gRPC
  DrainReport report;
  std::function<void(const DrainReport&)> done;

  // How many must have been told by now. Tunnels do not end by themselves: they go first, a hundred a second or as many
  // as half the window asks for. Calls may end: they are told when three quarters have passed.
  std::size_t tunnels_due(Nanos now) const;
  std::size_t calls_due(Nanos now) const;
};

}  // namespace albatross
