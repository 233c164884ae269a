// Listening sockets, and taking connections from them.
//
// Listening sockets belong to the Server (they outlive workers and are handed over on upgrade); an Acceptor watches one
// for one worker's loop, level-triggered, and leaves the descriptor open when it goes.
#pragma once

#include <functional>
#include <string>

#include "net/loop.h"
#include "net/tcp_transport.h"

namespace albatross {

struct ListenSocket {
  int fd = -1;
  SocketAddress address;  // as bound: the real port
};

// Opens `count` sockets on one address (TCP: SO_REUSEPORT siblings; unix: one descriptor, shared). The first TCP bind
// is made without SO_REUSEPORT, so a second process fails with "address already in use". A stale unix socket file that
// nobody listens on is replaced. On failure: empty, and `error` says why. `any` listens on v6 and v4 at once (v4 only
// where the machine has no v6).
std::vector<ListenSocket> open_listeners(const SocketAddress& address, int count, std::string& error);
// `count` more SO_REUSEPORT siblings of a TCP socket that open_listeners() made, perhaps in another process.
std::vector<ListenSocket> add_listeners(const SocketAddress& bound, int count, std::string& error);
// What the socket is bound to.
SocketAddress bound_address(int fd);
// The wildcard address: "[::]" dual-stack if possible, else "0.0.0.0".
SocketAddress any_address(std::uint16_t port);

class Acceptor final : public IoHandler, public Ready {
 public:
  // At most this many accepts a turn.
  static constexpr int kBudget = 64;
  // Asked before each accept; false: leave the rest to the kernel's queue (and usually pause it).
  using MayAccept = std::function<bool(Acceptor&)>;
  using OnAccept = std::function<void(int fd, const SocketAddress& peer)>;
  // Out of descriptors: called with the errno; return true if one was freed, so that accepting goes on.
  using OnExhausted = std::function<bool(int error)>;

  Acceptor(Loop& loop, int fd, bool shared, MayAccept may_accept, OnAccept on_accept, OnExhausted on_exhausted);
  ~Acceptor() override;

  void on_io(std::uint32_t events) override;
  void on_ready() override;
  // Everything that waits, as far as more may be accepted: for a socket that is left.
  void take_all();
  // Stops and resumes taking; the kernel's queue keeps what comes.
  void pause();
  void pause_for(Nanos t);
  // Is there a connection to take?
  bool waiting() const;
  void resume();

 private:
  void on_pause_over() { resume(); }
  Loop& loop_;
  int fd_;
  std::uint32_t slot_;
  std::uint32_t events_;
  bool paused_ = false;
  MayAccept may_accept_;
  OnAccept on_accept_;
  OnExhausted on_exhausted_;
  MemberTimer<Acceptor, &Acceptor::on_pause_over> retry_{this};
};

}  // namespace albatross
