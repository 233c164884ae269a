// What the sessions of one loop share: when they settle and write, streams to reuse, a budget of handshakes. Owned by
// the owner of the loop; the loop's thread.
//
// Views that were sent are settled before the next read anywhere on the loop, and everything is written when the loop
// ends its turn (TurnEnd). Nobody else needs to call settle().
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

  // For sessions: this one has something to send.
  void mark_dirty(Session& s);
  // Writes or copies everything that was sent since the last time; views are not valid after it. A connection with many
  // streams copies small output and writes it once, at the end of the turn.
  void settle();
  // Takes one of the TLS handshake steps of this turn. False when they are used up.
  bool take_handshake();

  // Streams are reused. A stream that is over may still be read until the next session has its turn.
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
