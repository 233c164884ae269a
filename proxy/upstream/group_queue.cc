#include "proxy/upstream/group_queue.h"

#include <cassert>

#include "proxy/exchange/exchange.h"
#include "proxy/worker.h"

namespace albatross {

void GroupQueue::say_who_is_first() {
  Nanos since = first_ != nullptr ? first_->queue_link.since : 0;
  slot_->oldest[static_cast<std::size_t>(worker_.index())].store(since);
}

void GroupQueue::push(Exchange& x) {
  assert(x.queue_link.in == nullptr);
  x.queue_link = {this, last_, nullptr, worker_.context().loop().now()};
  (last_ != nullptr ? last_->queue_link.next : first_) = &x;
  last_ = &x;
  slot_->waiting.fetch_add(1);
  if (first_ == &x) say_who_is_first();
  room_freed();  // it may have been before this one was seen to wait
}

void GroupQueue::remove(Exchange& x) {
  if (x.queue_link.in != this) return;
  Exchange *prev = x.queue_link.prev, *next = x.queue_link.next;
  (prev != nullptr ? prev->queue_link.next : first_) = next;
  (next != nullptr ? next->queue_link.prev : last_) = prev;
  x.queue_link = {};
  slot_->waiting.fetch_sub(1);
  if (prev != nullptr) return;
  say_who_is_first();
  room_freed();  // the room that it was woken for, if it has left
}

int GroupQueue::who_is_first() const {
  Nanos longest = 0;
  int who = -1;
  for (int i = 0; i < worker_.workers(); ++i) {
    Nanos since = slot_->oldest[static_cast<std::size_t>(i)].load();
    if (since == 0 || (who >= 0 && since >= longest)) continue;
    longest = since;
    who = i;
  }
  return who;
}

void GroupQueue::room_freed() {
  if (!anybody_waits()) return;
  const int who = local_ ? worker_.index() : who_is_first();
  if (who == worker_.index()) {
    serve_soon();
  } else if (who >= 0) {
    worker_.wake_queue_of(who, slot_->name);
  }
}

void GroupQueue::serve_soon() {
  if (first_ != nullptr) worker_.context().loop().make_ready(*this);
}

// As long as it is our turn and there is room. Who was woken and has nobody left passes it on.
void GroupQueue::on_ready() {
  while (first_ != nullptr && (local_ || who_is_first() == worker_.index())) {
    if (!first_->leave_queue()) return;
  }
  if (!local_) room_freed();
}

}  // namespace albatross
