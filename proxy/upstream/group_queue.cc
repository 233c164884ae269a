#include "proxy/upstream/group_queue.h"

namespace albatross {

using Queue = IntrusiveList<Flow, InQueue>;

void GroupQueue::say_who_is_first() {
  const Nanos since = empty() ? 0 : flows_.front().queued_since;
  slot_->oldest[static_cast<std::size_t>(services_.index())].store(since);
}

void GroupQueue::push(Flow& flow) {
  flow.queued_since = services_.now();
  const bool first = empty();
  flows_.push_back(flow);
  slot_->waiting.fetch_add(1);
  if (first) say_who_is_first();
  room_freed();  // room may have been freed before this flow was seen to wait
}

void GroupQueue::remove(Flow& flow) {
  if (!Queue::linked(flow)) return;
  const bool first = &flows_.front() == &flow;
  Queue::remove(flow);
  slot_->waiting.fetch_sub(1);
  if (!first) return;
  say_who_is_first();
  room_freed();  // passes on the room that the flow was woken for, if the flow is gone
}

int GroupQueue::who_is_first() const {
  Nanos longest = 0;
  int who = -1;
  for (int i = 0; i < services_.workers(); ++i) {
    Nanos since = slot_->oldest[static_cast<std::size_t>(i)].load();
    if (since == 0 || (who >= 0 && since >= longest)) continue;
    longest = since;
    who = i;
  }
  return who;
}

void GroupQueue::room_freed() {
  if (!anybody_waits()) return;
  const int who = local_ ? services_.index() : who_is_first();
  if (who == services_.index()) {
    if (!empty()) services_.loop.make_ready(*this);
  } else if (who >= 0) {
    services_.settings.wake_queue(who, slot_->name);
  }
}

// Serves its flows as long as it is this worker's turn and there is room. A worker that was woken and has no flow left
// wakes the next worker.
void GroupQueue::on_ready() {
  while (!empty() && (local_ || who_is_first() == services_.index())) {
    if (!flows_.front().leave_queue()) return;
  }
  if (!local_) room_freed();
}

}  // namespace albatross
