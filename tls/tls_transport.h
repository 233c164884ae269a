// A Transport over TLS on a socket: OpenSSL with our own BIO. It owns the descriptor and the SSL.
//
// When it reads, the BIO keeps the readiness flags: OpenSSL's socket BIO would hide short reads, and bytes would be
// stranded under edge triggering. When it writes, the BIO takes all that OpenSSL produces into a scratch of the thread,
// which is written in one send; what the socket does not take is kept and counted by pending(). So SSL_write never
// waits, and neither direction waits for the other.
//
// A client that sends text where a handshake should begin is answered in clear text, so that it learns of the mistake.
#pragma once

#include <memory>
#include <string>

#include "net/proxy_header.h"
#include "net/transport.h"
#include "tls/tls_info.h"

struct ssl_st;
struct bio_st;

namespace albatross {

class TlsTransport final : public Transport {
 public:
  // Takes over the descriptor and the SSL, whose role and context are set. `connecting`: the descriptor still connects.
  // `proxied`: a PROXY header comes first. `keep` is held as long as the transport lives.
  TlsTransport(Loop& loop, Ready& owner, int fd, ssl_st* ssl, bool connecting, bool proxied,
               std::shared_ptr<void> keep);
  ~TlsTransport() override;

  IoResult open() override;
  IoResult read(char* into, std::size_t size) override;
  bool can_read() const override;
  IoResult write(const iovec* parts, int count) override;
  std::size_t pending() const override { return pending_.size(); }
  IoResult flush() override;
  void shutdown_write() override;
  void close(bool abort) override;
  bool is_open() const override { return fd_ >= 0; }
  const TlsInfo* tls() const override;
  bool covers(std::string_view host) const override;
  const char* failure() const override { return failure_; }
  bool in_clear() const override { return in_clear_; }
  const ProxyHeader* proxy_header() const override { return peek_ ? &peek_->header() : nullptr; }

 private:
  friend struct TlsBio;
  int bio_read(char* into, int size, bool& again);
  void bio_write(const char* from, std::size_t size);
  // Sends what OpenSSL produced. False on a socket error.
  bool push();
  void send_close_notify();
  IoResult after(int result);
  IoResult read_clear(char* into, std::size_t size);

  int fd_;
  std::uint32_t slot_;
  ssl_st* ssl_;
  std::shared_ptr<void> keep_;
  std::unique_ptr<ProxyPeek> peek_;
  std::string pending_;
  std::string clear_;  // what has come in clear and was not read yet
  int error_ = 0;
  const char* failure_ = nullptr;
  bool connecting_;
  bool is_server_;
  bool begun_ = false;     // the first byte of the handshake has come
  bool in_clear_ = false;  // the client does not speak TLS
  bool handshaken_ = false;
  bool drained_ = false;  // the last SSL_read wanted more than was there
  bool at_end_ = false;   // the socket has reached its end
  bool send_failed_ = false;
  bool shut_pending_ = false;        // the end follows what is pending
  IoStatus sticky_ = IoStatus::kOk;  // an end or error found behind bytes that were handed out first
};

// OpenSSL's last error as "tls: reason", and clears its queue.
std::string last_tls_error();
bio_st* make_tls_bio(TlsTransport* t);

}  // namespace albatross
