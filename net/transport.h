// Non-blocking reads and writes of the bytes of one peer: over TCP, TLS, or memory in tests.
//
// A Transport is owned by its Session and used on its loop's thread only. It is registered with the loop once, for both
// directions and edge-triggered. It keeps readiness in flags, so that no call is made that would only find EAGAIN.
// After an edge that carried a hang-up it stays readable to the end, since no other edge comes.
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
  int error = 0;                    // errno for kError; 0 for an error of TLS
};

struct TlsInfo;      // tls/tls_info.h
struct ProxyHeader;  // net/proxy_header.h

class Transport : public IoHandler {
 public:
  // `owner` is made ready at each event of the connection; it outlives the transport.
  explicit Transport(Ready& owner) : owner_(&owner) {}

  // Finishes connecting, the PROXY header and the TLS handshake, where there are any. kOk when bytes may flow, kAgain
  // to be called again when the owner is ready, or kError.
  virtual IoResult open() = 0;
  // Reads at most `size` > 0 bytes. kEnd when the peer has sent its last byte.
  virtual IoResult read(char* into, std::size_t size) = 0;
  // Whether read() could return anything but kAgain.
  virtual bool can_read() const { return readable_; }
  // Writes as much of the views as fits now. With kOk and fewer bytes than given, wait until can_write(). Some of the
  // bytes that it took may still be pending().
  virtual IoResult write(const iovec* parts, int count) = 0;
  virtual bool can_write() const { return writable_; }
  // Bytes that write() took and the kernel has not taken yet; flush() tries again.
  virtual std::size_t pending() const { return 0; }
  virtual IoResult flush() { return {}; }
  // Ends our direction, after what is pending (TLS: with close_notify).
  virtual void shutdown_write() = 0;
  // Closes the connection at once. With `abort` the peer sees a reset, not an end. Idempotent.
  virtual void close(bool abort) = 0;
  virtual bool is_open() const = 0;
  // The result of the handshake; null without TLS.
  virtual const TlsInfo* tls() const { return nullptr; }
  // Whether the certificate that the peer was shown covers that host. False without TLS.
  virtual bool covers(std::string_view) const { return false; }
  // Why open() has failed, where that is not an errno: a literal, or null.
  virtual const char* failure() const { return nullptr; }
  // After open(): the peer should have begun with a TLS handshake but sends clear text, so this transport answers in
  // clear text.
  virtual bool in_clear() const { return false; }
  // After open(): the PROXY header that came first; null if none was expected.
  virtual const ProxyHeader* proxy_header() const { return nullptr; }

  // The peer has closed its direction, or the connection is broken; there may be bytes before the end.
  bool hung_up() const { return hung_up_; }
  // The connection is broken in both directions.
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
