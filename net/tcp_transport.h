// Transport over a stream socket (TCP or unix).
#pragma once

#include "net/proxy_header.h"
#include "net/transport.h"

namespace albatross {

class TcpTransport final : public Transport {
 public:
  // Takes the connected (or, with `connecting`, connecting) non-blocking descriptor.
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

  // The socket half that TLS shares: how a connect has ended, one recv, one sendmsg, flags kept.
  static IoResult connected(int fd, bool ready);
  static IoResult receive(int fd, char* into, std::size_t size, bool& readable, bool hung_up);
  static IoResult send(int fd, const iovec* parts, int count, bool& writable);
  // close() will send a reset instead of an end, and drops what is not sent yet.
  static void reset_on_close(int fd);

 private:
  int fd_;
  std::uint32_t slot_;
  bool connecting_;
  std::unique_ptr<ProxyPeek> peek_;
};

// A non-blocking connect, from an address of ours or (null) the kernel's choice; the port is chosen late, so that it
// need only differ for the same destination. Returns the descriptor, or -errno: EADDRNOTAVAIL if no port is left, ENXIO
// if `from` is not an address of this machine. kAgain-like progress is the normal case.
struct SocketAddress;
int start_connect(const SocketAddress& to, const IpAddress* from = nullptr);

// Where a socket may connect to or listen on.
struct SocketAddress {
  alignas(8) char storage[128];
  std::uint32_t size = 0;
  static SocketAddress tcp(const IpAddress& ip, std::uint16_t port);
  static SocketAddress unix_path(std::string_view path);  // size 0 if the path is too long
  std::string to_string() const;
  IpAddress ip() const;  // invalid for unix
  std::uint16_t port() const;
  int family() const;
  friend bool operator==(const SocketAddress& a, const SocketAddress& b);
};

}  // namespace albatross
