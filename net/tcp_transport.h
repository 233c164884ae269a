// A Transport over a stream socket, TCP or unix. It owns the descriptor.
#pragma once

#include "net/proxy_header.h"
#include "net/socket_address.h"
#include "net/transport.h"

namespace albatross {

class TcpTransport final : public Transport {
 public:
  // Takes over a non-blocking descriptor that is connected, or with `connecting` still being connected. `proxied`: a
  // PROXY header comes first.
  TcpTransport(Loop& loop, Ready& owner, int fd, bool connecting, bool proxied = false);
  ~TcpTransport() override;

  IoResult open() override;
  IoResult read(char* into, std::size_t size) override;
  IoResult write(const iovec* parts, int count) override;
  void shutdown_write() override;
  void close(bool abort) override;
  bool is_open() const override { return fd_ >= 0; }
  bool can_read() const override { return readable_ || (peek_ && peek_->left() > 0); }
  const ProxyHeader* proxy_header() const override { return peek_ ? &peek_->header() : nullptr; }
  int descriptor() const { return fd_; }

  // Shared with the TLS transport: get the result of a connect, receive once, send once. They keep the flags `readable`
  // and `writable` up to date.
  static IoResult connected(int fd, bool ready);
  static IoResult receive(int fd, char* into, std::size_t size, bool& readable, bool hung_up);
  static IoResult send(int fd, const iovec* parts, int count, bool& writable);
  // Makes close() send a reset instead of an end, and drop what is not sent yet.
  static void reset_on_close(int fd);

 private:
  int fd_;
  std::uint32_t slot_;
  bool connecting_;
  std::unique_ptr<ProxyPeek> peek_;
};

// Starts a non-blocking connect, from an address of ours or (null) from one that the kernel chooses. The kernel chooses
// the port as late as it can, so that one port can serve connections to different destinations. Returns the descriptor,
// whose connect is complete or in progress, or -errno: -EADDRNOTAVAIL if no port is left, -ENXIO if `from` is not an
// address of this machine. The caller owns the descriptor.
int start_connect(const SocketAddress& to, const IpAddress* from = nullptr);

}  // namespace albatross
