#include "session/session_context.h"

#include "session/session.h"

namespace albatross {

SessionContext::SessionContext(Loop& loop) : loop_(loop) { loop_.set_turn_end(this); }

SessionContext::~SessionContext() {
  loop_.set_turn_end(nullptr);
  recycle_streams();
  for (Stream* s : free_) delete s;
}

void SessionContext::mark_dirty(Session& s) {
  using List = IntrusiveList<Session, TurnLink>;
  if (List::linked(s) && !s.gathered()) return;
  List::remove(s);  // its new views must be settled before the next read, too
  dirty_.push_back(s);
}

bool SessionContext::take_handshake() {
  if (turn_ != loop_.turns()) {
    turn_ = loop_.turns();
    handshakes_ = 0;
  }
  return ++handshakes_ <= kHandshakes;
}

void SessionContext::settle() {
  while (!dirty_.empty()) {
    Session& s = dirty_.front();
    IntrusiveList<Session, TurnLink>::remove(s);
    // A session that has sent more since is dirty again.
    if (s.gather() && !IntrusiveList<Session, TurnLink>::linked(s)) gathered_.push_back(s);
  }
  scratch_.clear();
}

// Everything that was ready has run. Writing gives credit, so other sessions may send more.
void SessionContext::on_turn_end() {
  for (settle(); !gathered_.empty(); settle()) {
    Session& s = gathered_.front();
    IntrusiveList<Session, TurnLink>::remove(s);
    s.settle();
  }
}

Stream& SessionContext::take_stream() {
  if (free_.empty()) return *new Stream(loop_.blocks());
  Stream* s = free_.back();
  free_.pop_back();
  return *s;
}

void SessionContext::recycle_streams() {
  for (Stream* s : dead_) {
    s->waiting.clear();
    if (free_.size() < kFreeStreams) {
      free_.push_back(s);
    } else {
      delete s;
    }
  }
  dead_.clear();
}

}  // namespace albatross
