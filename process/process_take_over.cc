// Handing over to a new process, and taking over from an old one: no connection is refused, as both listen on the same
// sockets for a moment. Control thread.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include "process/hand_over.h"
#include "process/process.h"

namespace albatross {
namespace {

// It said that it serves; has it ended since?
bool lives(int fd, std::string& why) {
  char byte = 0;
  if (::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0) return true;
  why = "it has ended";
  return false;
}

}  // namespace

void Process::take_over(HandOver from) {
  taken_ = std::move(from.listeners);
  overrides_ = std::move(from.overrides);
  tickets_->replace(std::move(from.ticket_keys));
  // Kept until the first snapshot holds those that it names.
  for (const auto& [key, health] : from.health) {
    inherited_.push_back(servers_.slot(key.first, key.second));
    inherited_.back()->health.store(health);
  }
}

HandOver Process::what_to_hand_over() const {
  HandOver out;
  for (const auto& [name, l] : listeners_) {
    if (!overrides_.drained_listeners.contains(name)) out.listeners.push_back({name, l.wanted.to_string(), l.sockets});
  }
  out.ticket_keys = tickets_->all();
  out.overrides = overrides_;
  for (const auto& g : snapshot_->groups) {
    for (const ServerEntry& e : g->servers) {
      if (Health h = e.slot->health.load(); h != Health::kUnknown) out.health[{g->name, e.slot->address}] = h;
    }
  }
  return out;
}

void Process::hand_over(int fd) {
  auto give_up = [this, fd](const std::string& why) {
    log("the hand-over to a new process failed: " + why + "; this one goes on");
    ::close(fd);
  };
  if (stopping_ || handing_over_) return give_up(stopping_ ? "this process is stopping" : "another one is under way");
  std::string error;
  if (!send(fd, what_to_hand_over(), error)) return give_up(error);
  log("handing over to a new process");
  handing_over_ = true;
  auto channel = std::make_shared<boost::asio::posix::stream_descriptor>(io_, fd);
  // The other process starts, however long that takes, or ends.
  channel->async_wait(boost::asio::posix::stream_descriptor::wait_read, [this, channel](boost::system::error_code ec) {
    handing_over_ = false;
    std::string why;
    int own = channel->release();
    if (ec || !await(own, HandOver::kReady, why) || !lives(own, why)) {
      log("the hand-over to a new process failed: " + (ec ? ec.message() : why) + "; this one goes on");
    } else {
      handed_over(own);
    }
    ::close(own);
  });
}

void Process::handed_over(int fd) {
  handed_over_ = true;
  stopping_ = draining_ = true;
  if (options_.handed_over) options_.handed_over();
  std::string error;
  if (!say(fd, HandOver::kLeft, error)) log("the new process does not listen: " + error);
  log("handed over to a new process");
  begin_drain();
}

}  // namespace albatross
