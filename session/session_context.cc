// What the sessions of a thread share: one read, one settling and one write for each in a turn; streams to use again.
#include "session/session.h"

#include <algorithm>

namespace albatross {

SessionContext::~SessionContext() {
  recycle_streams();
  for (Stream* s : free_) delete s;
}

void SessionContext::mark_dirty(Session& s) {
  dirty_.push_back(&s);
  loop_.make_ready(*this);  // for sends outside a read: timers, mail, other streams' ends
}

bool SessionContext::take_handshake() {
  if (turn_ != loop_.turns()) {
    turn_ = loop_.turns();
    handshakes_ = 0;
  }
  return ++handshakes_ <= kHandshakes;
}

void SessionContext::forget(Session& s) {
  std::erase(dirty_, &s);
  std::erase(gathered_, &s);
}

void SessionContext::settle() {
  while (!dirty_.empty()) {
    Session* s = dirty_.back();
    dirty_.pop_back();
    if (s->gather()) {
      gathered_.push_back(s);
      loop_.make_ready(*this);
    }
  }
  scratch_.clear();
}

// Everyone else who was ready has had a turn.
void SessionContext::finish_turn() {
  settle();
  while (!gathered_.empty()) {
    Session* s = gathered_.back();
    gathered_.pop_back();
    s->gathered_ = false;
    s->settle();
  }
  settle();
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
