// The streams of the peer that a server's codec remembers, unlike nghttp2: recent ones, to tell a late frame from a
// wrong one (RFC 9113 §5.1), and those that were answered while their request is still coming (§8.1). Values of one
// connection; one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace albatross {

class RecentStreams {
 public:
  void opened(std::int32_t id) {
    last_ = std::max(last_, id);
    ring_[count_++ % ring_.size()] = {id, false};
  }
  void reset_by_us(std::int32_t id) {
    for (One& o : ring_) {
      if (o.id == id) o.reset = true;
    }
  }
  enum class What : std::uint8_t { kUnknown, kOver, kReset };
  // The state of a stream that nghttp2 has forgotten. kUnknown: it was opened long ago, or never.
  What find(std::int32_t id) const {
    for (const One& o : ring_) {
      if (o.id == id) return o.reset ? What::kReset : What::kOver;
    }
    return What::kUnknown;
  }
  std::int32_t last() const { return last_; }

 private:
  struct One {
    std::int32_t id = 0;
    bool reset = false;
  };
  std::array<One, 128> ring_{};
  std::uint32_t count_ = 0;
  std::int32_t last_ = 0;
};

// Answered streams whose request is still coming. Up to kBytes of it are read and dropped, for kTime at most, before
// the client is told to stop.
class LingeringStreams {
 public:
  static constexpr std::uint32_t kBytes = 64 * 1024;
  static constexpr Nanos kTime = 2 * kSecond;

  void add(std::int32_t id, Nanos now) {
    if (streams_.size() == kMost) streams_.front().bytes = 0;
    streams_.push_back({id, kBytes, now + kTime});
  }
  void dropped(std::int32_t id, std::size_t bytes) {
    for (One& l : streams_) {
      if (l.id == id) l.bytes -= static_cast<std::uint32_t>(std::min<std::size_t>(l.bytes, bytes));
    }
  }
  void closed(std::int32_t id) {
    std::erase_if(streams_, [id](const One& l) { return l.id == id; });
  }
  // Calls stop(id) for each stream that is over its limit, and forgets it.
  template <class F>
  void expire(Nanos now, F stop) {
    std::erase_if(streams_, [&](const One& l) {
      bool over = l.bytes == 0 || now >= l.until;
      if (over) stop(l.id);
      return over;
    });
  }

 private:
  static constexpr std::size_t kMost = 16;
  struct One {
    std::int32_t id;
    std::uint32_t bytes;
    Nanos until;
  };
  std::vector<One> streams_;
};

}  // namespace albatross
