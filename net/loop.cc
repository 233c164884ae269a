#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace albatross {
namespace {
constexpr std::uint64_t kWakeKey = ~std::uint64_t{0};
}

Loop::Loop(const Clock& clock)
    : clock_(clock),
      now_(clock.now()),
      wall_(clock.wall()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      wheel_(now_),
      read_scratch_(new char[kScratch]) {
  if (epoll_ < 0 || wake_ < 0) std::abort();  // start-up: no descriptors at all
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.u64 = kWakeKey;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &e);
}

Loop::~Loop() {
  run_mail();
  graveyard_.clear();
  close(wake_);
  close(epoll_);
}

std::uint32_t Loop::add(int fd, std::uint32_t events, IoHandler* handler) {
  std::uint32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[slot].handler = handler;
  control(EPOLL_CTL_ADD, slot, fd, events);
  return slot;
}

void Loop::remove(std::uint32_t slot, int fd, bool detach) {
  if (detach) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  slots_[slot].handler = nullptr;
  ++slots_[slot].generation;
  free_slots_.push_back(slot);
}

void Loop::modify(std::uint32_t slot, int fd, std::uint32_t events) { control(EPOLL_CTL_MOD, slot, fd, events); }

void Loop::control(int operation, std::uint32_t slot, int fd, std::uint32_t events) {
  epoll_event e{};
  e.events = events;
  e.data.u64 = static_cast<std::uint64_t>(slots_[slot].generation) << 32 | slot;
  epoll_ctl(epoll_, operation, fd, &e);
}

void Loop::post(std::function<void()> task) {
  {
    std::lock_guard lock(mail_lock_);
    mail_.push_back(std::move(task));
  }
  if (!has_mail_.exchange(true)) {
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t n = write(wake_, &one, sizeof one);  // a full counter still wakes the loop
  }
}

void Loop::run_mail() {
  if (!has_mail_.exchange(false)) return;
  std::uint64_t count;
  [[maybe_unused]] ssize_t n = read(wake_, &count, sizeof count);
  std::vector<std::function<void()>> mail;
  {
    std::lock_guard lock(mail_lock_);
    mail.swap(mail_);
  }
  for (auto& task : mail) task();
}

// An entry that becomes ready while this runs waits for the next turn.
void Loop::run_ready() {
  IntrusiveList<Ready> now;
  now.splice_back(ready_);
  while (!now.empty()) {
    Ready& r = now.front();
    r.unlink();
    r.on_ready();
  }
}

void Loop::turn(Nanos max_wait) {
  Nanos wait = std::min(max_wait, wheel_.wait(now_));
  if (!ready_.empty() || has_mail_.load(std::memory_order_relaxed)) wait = 0;
  int timeout = wait > 3'600 * kSecond ? 3'600'000 : static_cast<int>((wait + kMilli - 1) / kMilli);
  if (!clock_.runs()) timeout = std::min(timeout, 1);
  epoll_event events[256];
  int n = epoll_wait(epoll_, events, 256, timeout);
  ++turns_;
  now_ = clock_.now();
  wall_ = clock_.wall();
  for (int i = 0; i < n; ++i) {
    std::uint64_t key = events[i].data.u64;
    if (key == kWakeKey) continue;
    Slot& s = slots_[static_cast<std::uint32_t>(key)];
    if (s.generation == static_cast<std::uint32_t>(key >> 32) && s.handler != nullptr)
      s.handler->on_io(events[i].events);
  }
  run_ready();
  run_mail();
  wheel_.advance(now_);
  if (turn_end_ != nullptr) turn_end_->on_turn_end();
  std::vector<std::unique_ptr<Deferred>> dead;
  if (!graveyard_.empty()) {
    dead.swap(graveyard_);
    dead.clear();
  }
}

void Loop::run() {
  while (!stopping_.load(std::memory_order_relaxed)) turn(~Nanos{0});
}

void Loop::stop() {
  post([this] { stopping_.store(true, std::memory_order_relaxed); });
}

}  // namespace albatross
