// Listening sockets, and accepting connections from them.
//
// The sockets belong to Process: they outlive workers and are handed over to the next process. An Acceptor watches one
// of them for one worker, level-triggered, on that worker's thread, and leaves the descriptor open when it is
// destroyed.
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

// Opens sockets that listen on one address: on TCP `count` of them with SO_REUSEPORT, on a unix path a single one that
// workers share. The first TCP socket is bound without SO_REUSEPORT, so that a second process fails with "address
// already in use". A unix socket file that nobody listens on is replaced. On failure the result is empty, and `error`
// says why. The caller owns the descriptors.
std::vector<ListenSocket> open_listeners(const SocketAddress& address, int count, std::string& error);
// Opens `count` more SO_REUSEPORT sockets beside one that open_listeners() made, perhaps in another process.
std::vector<ListenSocket> add_listeners(const SocketAddress& bound, int count, std::string& error);
// The address that the socket is bound to.
SocketAddress bound_address(int fd);
// Every address of this machine: "[::]", which takes IPv4 too, or "0.0.0.0" if the machine has no IPv6.
SocketAddress any_address(std::uint16_t port);

// Accepts connections for one worker.
class Acceptor final : public IoHandler, public Ready {
 public:
  // The most accepts in a turn.
  static constexpr int kBudget = 64;
  // Asked before each accept. False leaves the rest in the kernel's queue; usually it pauses the acceptor, too.
  using MayAccept = std::function<bool(Acceptor&)>;
  // Takes over the descriptor.
  using OnAccept = std::function<void(int fd, const SocketAddress& peer)>;
  // Called with the errno when descriptors or memory ran out. True if some were freed, so that accepting goes on in the
  // next turn; with false it rests for 100 ms.
  using OnExhausted = std::function<bool(int error)>;

  // `shared`: other workers watch the same descriptor.
  Acceptor(Loop& loop, int fd, bool shared, MayAccept may_accept, OnAccept on_accept, OnExhausted on_exhausted);
  ~Acceptor() override;

  void on_io(std::uint32_t events) override;
  void on_ready() override;
  // Accepts all waiting connections, as long as MayAccept allows it. For a socket that this worker is about to leave.
  void take_all();
  // Stops accepting until resume(), or for `t`; the kernel's queue keeps new connections meanwhile.
  void pause();
  void pause_for(Nanos t);
  void resume();
  // Whether a connection waits in the kernel's queue. A system call.
  bool waiting() const;

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
