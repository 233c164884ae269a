// Non-blocking bytes to one peer: TCP, TLS or memory.
//
// A Transport is owned by its Session and used on its loop's thread only. It is registered with the loop once, for both
// directions, edge-triggered; readiness is kept in flags, so a call that would only find EAGAIN is not made. After an
// edge that carried a hang-up it reads on to the end: such an edge is the last.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/ip.h"
#include "net/loop.h"

namespace albatross {

enum class IoStatus : std::uint8_t { kOk, kAgain, kEnd, kError };

struct IoResult {
  std::size_t bytes = 0;
  IoStatus status = IoStatus::kOk;  // kOk with bytes > 0, or one of the others with bytes == 0
  int error = 0;                    // errno for kError; 0 when it was TLS
};

struct TlsInfo;      // tls/tls_info.h
struct ProxyHeader;  // net/proxy_header.h

class Transport : public IoHandler {
 public:
  explicit Transport(Ready& owner) : owner_(&owner) {}

  // Connects and shakes hands: kOk when bytes may flow, kAgain to be called again when ready, kError.
  virtual IoResult open() = 0;
  // Reads at most `size` > 0 bytes.
  virtual IoResult read(char* into, std::size_t size) = 0;
  // True when read() could give something other than kAgain.
  virtual bool can_read() const { return readable_; }
  // Writes what fits now of the views; kOk with fewer bytes than given means wait for writability. A transport that
  // has taken bytes may still hold some of them: see pending().
  virtual IoResult write(const iovec* parts, int count) = 0;
  virtual bool can_write() const { return writable_; }
  // Bytes taken but not yet with the kernel; flush() tries again.
  virtual std::size_t pending() const { return 0; }
  virtual IoResult flush() { return {}; }
  // No more bytes from us (TLS: close_notify first).
  virtual void shutdown_write() = 0;
  // At once and for good. `abort`: the peer sees a reset, not an end. Idempotent.
  virtual void close(bool abort) = 0;
  virtual bool is_open() const = 0;
  // Gives back memory that only traffic needs.
  virtual void release_buffers() {}
  virtual const TlsInfo* tls() const { return nullptr; }
  // TLS: the certificate that was shown to the peer is good for that host.
  virtual bool covers(std::string_view) const { return false; }
  // After open(): the PROXY header that came first, if one was awaited.
  virtual const ProxyHeader* proxy_header() const { return nullptr; }

  // The peer has closed its direction or the connection is broken; there may be bytes before the end.
  bool hung_up() const { return hung_up_; }
  bool broken() const { return broken_; }

  void on_io(std::uint32_t events) override;

 protected:
  Ready* owner_;
  Loop* loop_ = nullptr;
  bool readable_ = false;
  bool writable_ = false;
  bool hung_up_ = false;  // RDHUP, HUP or ERR was seen
  bool broken_ = false;   // HUP or ERR
};

}  // namespace albatross
