// A unit of traffic in progress, as drains, queues, limits and overload see it. An Exchange is one; the Worker owns it.
// Worker's thread.
//
// A flow is in the list of its listener, and each Lease that it holds is in the list of its server. So a drain visits
// its own flows and no others.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/error.h"
#include "base/intrusive_list.h"

namespace albatross {

struct ListenerSlot;
struct OfListener;
struct InQueue;

class Flow : public ListHook<Flow, OfListener>, public ListHook<Flow, InQueue> {
 public:
  enum class Kind : std::uint8_t { kRequest, kCall, kTunnel };  // kCall: a gRPC call
  virtual Kind kind() const = 0;
  // Its listener; and whether its client's connection drains.
  virtual const ListenerSlot* listener() const = 0;
  virtual bool client_drains() const = 0;
  // Bytes of memory that it holds: those that wait to be written to either side, and those kept for another try.
  virtual std::size_t bytes_held() const = 0;

  // Tells the client to go elsewhere, for a drain: with close frame 1001 or UNAVAILABLE. False if it was told before or
  // cannot be told.
  virtual bool go_away() = 0;
  bool told() const { return told_; }
  // Ends it now: a drain's deadline has passed.
  virtual void cut() = 0;
  // Ends it for that cause: with an answer if none has begun, else with a reset.
  virtual void end(Cause cause) = 0;

  // The configuration that it began under is not served any more: releases the parts of it that it does not need.
  virtual void detach() = 0;

  // Called by its queue when a server may have room: tries to take one. False if it must go on waiting.
  virtual bool leave_queue() = 0;
  Nanos queued_since = 0;

  // How it left a server or the proxy, for the reports of drains.
  enum class Left : std::uint8_t { kFinished, kMoved, kCut };
  Left left() const { return cut_ ? Left::kCut : told_ ? Left::kMoved : Left::kFinished; }

 protected:
  ~Flow() = default;
  bool told_ = false;
  bool cut_ = false;
};

}  // namespace albatross
