// How a process ends: by a signal, by a verb, or because a new process has taken over. In a take-over both listen on
// the same sockets for a moment, so no connection is refused. Also the rotation of ticket keys. Control thread.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

#include "base/timestamp.h"
#include "process/hand_over.h"
#include "process/process.h"

namespace albatross {
namespace {

constexpr auto kTicketLife = std::chrono::hours(8);

// Whether the other process is still alive, after it has said that it serves.
bool lives(int fd, std::string& why) {
  char byte = 0;
  if (::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0) return true;
  why = "the new process ended";
  return false;
}

}  // namespace

void Process::rotate_tickets() {
  ticket_timer_.expires_after(kTicketLife);
  ticket_timer_.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    tickets_->rotate();
    rotate_tickets();
  });
}

// ---- stopping ----

void Process::stop_from_anywhere() {
  boost::asio::post(serving_io_, [this] { stop(); });
}

void Process::stop() {
  if (told_to_stop_) {
    log(Level::kInfo, "stopping at once");
    serving_io_.stop();
    return;
  }
  told_to_stop_ = true;
  begin_stop();
}

void Process::begin_stop() {
  if (stage_ != Stage::kServing) return;
  stage_ = Stage::kDelay;  // /health answers 503
  tell(ProcessStage::kStopping);
  const Nanos delay = config::nanos(serving_.config->shutdown.delay);
  if (delay == 0) return begin_drain();
  log(Level::kInfo, "stopping: the drain begins in " + duration_text(delay));
  shutdown_timer_.expires_after(std::chrono::nanoseconds(delay));
  shutdown_timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec) begin_drain();
  });
}

void Process::begin_drain() {
  if (stage_ == Stage::kDraining) return;
  stage_ = Stage::kDraining;
  rollouts_->stop();
  shutdown_timer_.cancel();
  const Nanos window = config::nanos(serving_.config->shutdown.drain);
  auto part = serving_.workers.sum([this](const DrainReport& r) { drained(r); });
  // Called by each worker; logs when all of them have begun.
  auto begun = [this, window, left = std::make_shared<std::size_t>(serving_.workers.size())] {
    if (--*left > 0) return;
    serving_.sockets.close_all(!handed_over_ && !handing_over_);
    log(Level::kInfo, "draining for at most " + duration_text(window));
  };
  serving_.workers.post_all([this, window, begun, part, taken = handed_over_](Worker& w) {
    w.stop_accepting(!taken);
    w.drain_all(window, part);
    boost::asio::post(serving_io_, begun);
  });
}

void Process::drain_process(std::function<void(const DrainReport&, std::function<void()>)> done) {
  if (done) tell_drained_.push_back(std::move(done));
  begin_stop();
}

// Callers that wait for the report get it before the process ends.
void Process::drained(const DrainReport& report) {
  operator_->note_drained("the process", report);
  if (tell_drained_.empty()) return serving_io_.stop();
  auto told = std::make_shared<std::size_t>(tell_drained_.size());
  for (auto& tell : tell_drained_) {
    tell(report, [this, told] {
      if (--*told == 0) serving_io_.stop();
    });
  }
}

// ---- handing over ----

void Process::take_over(HandOver from) {
  serving_.sockets.take(std::move(from.listeners));
  operator_->set_overrides(std::move(from.overrides));
  rollouts_->inherit(std::move(from.rollouts));
  tickets_->replace(std::move(from.ticket_keys));
  // Keeps the slots until the first snapshot holds them.
  for (const auto& [key, health] : from.health) {
    inherited_.push_back(servers_.slot(key.first, key.second));
    inherited_.back()->health.store(health);
  }
}

HandOver Process::what_to_hand_over() const {
  HandOver out;
  out.listeners = serving_.sockets.to_hand_over(*serving_.snapshot);
  out.ticket_keys = tickets_->all();
  out.overrides = operator_->overrides();
  out.rollouts = rollouts_->json();
  for (const auto& g : serving_.snapshot->groups) {
    for (const ServerEntry& e : g->servers) {
      if (Health h = e.slot->health.load(); h != Health::kUnknown) out.health[{g->name, e.slot->address}] = h;
    }
  }
  return out;
}

void Process::hand_over(int fd) {
  auto give_up = [this, fd](const std::string& why) {
    log(Level::kError, "the hand-over to a new process failed: " + why + "; this process continues");
    ::close(fd);
  };
  if (handing_over_) return give_up("another hand-over is in progress");
  if (stage_ != Stage::kServing) return give_up("this process is stopping");
  std::string error;
  if (!send(fd, what_to_hand_over(), error)) return give_up(error);
  log(Level::kInfo, "handing over to a new process");
  handing_over_ = true;
  auto channel = std::make_shared<boost::asio::posix::stream_descriptor>(serving_io_, fd);
  // Waits without a limit until the other process has started or ended.
  channel->async_wait(boost::asio::posix::stream_descriptor::wait_read, [this, channel](boost::system::error_code ec) {
    handing_over_ = false;
    std::string why;
    int own = channel->release();
    if (ec || !await(own, HandOver::kReady, why) || !lives(own, why)) {
      log(Level::kError,
          "the hand-over to a new process failed: " + (ec ? ec.message() : why) + "; this process continues");
      reloader_->names_changed({});  // builds for changes that came meanwhile
    } else {
      handed_over(own);
    }
    ::close(own);
  });
}

void Process::handed_over(int fd) {
  handed_over_ = true;
  if (options_.handed_over) options_.handed_over();
  std::string error;
  if (!say(fd, HandOver::kLeft, error)) log(Level::kError, "cannot confirm the hand-over to the new process: " + error);
  log(Level::kInfo, "handed over to a new process");
  begin_drain();
}

}  // namespace albatross
