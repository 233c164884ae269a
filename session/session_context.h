// What the sessions of one loop share: one settling for each read, one write for each connection and turn, streams to
// use again, a budget of handshakes. Owned by who owns the loop; the loop's thread.
//
// What was sent as views is settled before the next read anywhere on the loop, and everything is written when the loop
// ends its turn (TurnEnd): nobody else has to think of it.
#pragma once

#include <vector>

#include "base/intrusive_list.h"
#include "http/output.h"
#include "net/loop.h"

namespace albatross {

class Session;
class Stream;
struct TurnLink;

class SessionContext final : private TurnEnd {
 public:
  explicit SessionContext(Loop& loop);
  ~SessionContext();
  SessionContext(const SessionContext&) = delete;
  SessionContext& operator=(const SessionContext&) = delete;

  Loop& loop() { return loop_; }
  OutputScratch& scratch() { return scratch_; }

  // For sessions. Something is to be sent this turn.
  void mark_dirty(Session& s);
  // Writes, or takes ownership of, everything that was sent since the last time. Views die here. A connection of many
  // streams only gathers what is small; it writes once, at the end of the turn.
  void settle();
  // One of this turn's TLS handshake steps; false when they are used up.
  bool take_handshake();

  // Streams are recycled. One that is over stays readable until the next session has its turn.
  Stream& take_stream();
  void bury(Stream& s) { dead_.push_back(&s); }
  void recycle_streams();

 private:
  void on_turn_end() override;

  Loop& loop_;
  OutputScratch scratch_;
  IntrusiveList<Session, TurnLink> dirty_;
  IntrusiveList<Session, TurnLink> gathered_;  // to be written at the end of the turn
  std::vector<Stream*> free_;
  std::vector<Stream*> dead_;
  static constexpr int kHandshakes = 16;
  static constexpr std::size_t kFreeStreams = 1024;
  std::uint64_t turn_ = 0;
  int handshakes_ = 0;
};

}  // namespace albatross
