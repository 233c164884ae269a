// One thing under way through the proxy, as drains, queues, limits and overload see it: an HTTP exchange, later an L4
// connection. Who runs it implements this; its worker's thread.
//
// It is in the list of the listener that it came by, and each Lease that it holds is in the list of its server, so that
// a drain visits its own flows only.
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
  enum class Kind : std::uint8_t { kRequest, kCall, kTunnel };  // kCall: gRPC
  virtual Kind kind() const = 0;
  // The listener that it came by, and whether its client's connection drains.
  virtual const ListenerSlot* listener() const = 0;
  virtual bool client_drains() const = 0;
  // Bytes that wait for either side, and those kept for another try.
  virtual std::size_t bytes_held() const = 0;

  // A drain wants it to go elsewhere: close frame 1001, or UNAVAILABLE. False: it was told before, or cannot be.
  virtual bool go_away() = 0;
  bool told() const { return told_; }
  // The drain's deadline: what is left of it ends now.
  virtual void cut() = 0;
  // By an answer if there was none, else by a reset.
  virtual void end(Cause cause) = 0;

  // The configuration that it began under is not served any more: it holds no more of it than it needs.
  virtual void detach() = 0;

  // Its queue's: room may be there, it tries again. False: it must go on waiting.
  virtual bool leave_queue() = 0;
  Nanos queued_since = 0;

  // How it left, for the reports of drains.
  enum class Left : std::uint8_t { kFinished, kMoved, kCut };
  Left left() const { return cut_ ? Left::kCut : told_ ? Left::kMoved : Left::kFinished; }

 protected:
  ~Flow() = default;
  bool told_ = false;
  bool cut_ = false;
};

}  // namespace albatross
