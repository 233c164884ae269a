#include "tls/tls_transport.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/tcp_transport.h"

namespace albatross {
namespace {

constexpr std::size_t kCipher = 256 * 1024;
constexpr std::size_t kRecord = 16 * 1024;

// What OpenSSL wrote during one call, before it goes to the socket.
struct CipherScratch {
  std::unique_ptr<char[]> data{new char[kCipher]};
  std::size_t size = 0;
};
CipherScratch& cipher() {
  thread_local CipherScratch s;
  return s;
}
char* gather_scratch() {
  thread_local std::unique_ptr<char[]> s(new char[kRecord]);
  return s.get();
}

// A TLS record begins with 22, a method of HTTP with a letter.
bool begins_method(char first) { return first >= 'A' && first <= 'Z'; }

// Why a handshake failed, in OpenSSL's words, which live as long as the program; null if it does not say.
const char* handshake_failure(const SSL* ssl, bool at_end) {
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  const unsigned long e = ERR_peek_error();
  const char* reason = e == 0 || ERR_GET_LIB(e) == ERR_LIB_SYS ? nullptr : ERR_reason_error_string(e);
  return reason != nullptr || !at_end ? reason : "the peer closed the connection";
}

}  // namespace

struct TlsBio {
  static TlsTransport* of(BIO* b) { return static_cast<TlsTransport*>(BIO_get_data(b)); }
  static int read(BIO* b, char* into, int size) {
    BIO_clear_retry_flags(b);
    bool again = false;
    int n = of(b)->bio_read(into, size, again);
    if (again) BIO_set_retry_read(b);
    return n;
  }
  static int write(BIO* b, const char* from, int size) {
    BIO_clear_retry_flags(b);
    if (size > 0) of(b)->bio_write(from, static_cast<std::size_t>(size));
    return size;
  }
  static long ctrl(BIO* b, int cmd, long, void*) {
    switch (cmd) {
      case BIO_CTRL_FLUSH: return 1;
      case BIO_CTRL_EOF: return of(b)->at_end_ ? 1 : 0;
      default: return 0;
    }
  }
  static BIO_METHOD* method() {
    static BIO_METHOD* m = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "albatross socket");
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, ctrl);
      BIO_meth_set_create(made, [](BIO* b) {
        BIO_set_init(b, 1);
        return 1;
      });
      return made;
    }();
    return m;
  }
};

BIO* make_tls_bio(TlsTransport* t) {
  BIO* b = BIO_new(TlsBio::method());
  BIO_set_data(b, t);
  return b;
}

std::string last_tls_error() {
  unsigned long e = ERR_get_error();
  if (ERR_GET_LIB(e) == ERR_LIB_SYS) {
    ERR_clear_error();
    return std::strerror(ERR_GET_REASON(e));
  }
  const char* reason = e == 0 ? nullptr : ERR_reason_error_string(e);
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown error";
}

TlsTransport::TlsTransport(Loop& loop, Ready& owner, int fd, SSL* ssl, bool connecting, bool proxied,
                           std::shared_ptr<void> keep)
    : Transport(owner),
      fd_(fd),
      ssl_(ssl),
      keep_(std::move(keep)),
      connecting_(connecting),
      is_server_(SSL_is_server(ssl) == 1) {
  loop_ = &loop;
  writable_ = !connecting;
  if (proxied) peek_ = std::make_unique<ProxyPeek>();
  BIO* b = make_tls_bio(this);
  SSL_set_bio(ssl_, b, b);
  slot_ = loop.add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, this);
}

TlsTransport::~TlsTransport() {
  close(false);
  SSL_free(ssl_);
}

int TlsTransport::bio_read(char* into, int size, bool& again) {
  if (peek_ && peek_->left() > 0) return static_cast<int>(peek_->take(into, static_cast<std::size_t>(size)));
  IoResult r = TcpTransport::receive(fd_, into, static_cast<std::size_t>(size), readable_, hung_up_);
  switch (r.status) {
    case IoStatus::kOk:
      if (!begun_ && is_server_ && begins_method(into[0])) {
        in_clear_ = true;
        clear_.assign(into, r.bytes);
        return -1;
      }
      begun_ = true;
      return static_cast<int>(r.bytes);
    case IoStatus::kAgain: again = true; return -1;
    case IoStatus::kEnd: at_end_ = true; return 0;
    case IoStatus::kError: error_ = r.error; return -1;
  }
  return -1;
}

void TlsTransport::bio_write(const char* from, std::size_t size) {
  CipherScratch& s = cipher();
  if (s.size + size > kCipher) push();
  if (!pending_.empty() || s.size + size > kCipher) {
    pending_.append(from, size);
    return;
  }
  std::memcpy(s.data.get() + s.size, from, size);
  s.size += size;
}

bool TlsTransport::push() {
  CipherScratch& s = cipher();
  if (s.size == 0) return !send_failed_;
  std::size_t sent = 0;
  if (pending_.empty() && !send_failed_) {
    iovec part{s.data.get(), s.size};
    IoResult r = TcpTransport::send(fd_, &part, 1, writable_);
    if (r.status == IoStatus::kError) {
      send_failed_ = true;
      error_ = r.error;
    }
    sent = r.bytes;
  }
  if (!send_failed_) pending_.append(s.data.get() + sent, s.size - sent);
  s.size = 0;
  return !send_failed_;
}

IoResult TlsTransport::flush() {
  if (pending_.empty()) return {};
  iovec part{pending_.data(), pending_.size()};
  IoResult r = TcpTransport::send(fd_, &part, 1, writable_);
  if (r.status == IoStatus::kError) {
    send_failed_ = true;
    return r;
  }
  pending_.erase(0, r.bytes);
  if (pending_.empty()) {
    std::string().swap(pending_);
    if (shut_pending_) ::shutdown(fd_, SHUT_WR);
  }
  return {r.bytes, pending_.empty() ? IoStatus::kOk : IoStatus::kAgain, 0};
}

// The meaning of a failed SSL call.
IoResult TlsTransport::after(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: drained_ = true; return {0, IoStatus::kAgain, 0};
    case SSL_ERROR_ZERO_RETURN: return {0, IoStatus::kEnd, 0};
    default: break;
  }
  if (!handshaken_) failure_ = handshake_failure(ssl_, at_end_);
  ERR_clear_error();
  // Clients often close without close_notify. If a server does, its response may have been truncated by an attacker.
  if (at_end_ && is_server_ && handshaken_) return {0, IoStatus::kEnd, 0};
  return {0, IoStatus::kError, error_};
}

IoResult TlsTransport::open() {
  if (connecting_) {
    IoResult r = TcpTransport::connected(fd_, writable_ || broken_);
    if (r.status != IoStatus::kOk) return r;
    connecting_ = false;
  }
  if (peek_ && peek_->header().state == ProxyHeader::State::kIncomplete) {
    IoResult r = peek_->step(fd_, readable_, hung_up_);
    if (r.status != IoStatus::kOk) return r;
  }
  if (handshaken_ || in_clear_) return {};
  ERR_clear_error();
  int n = SSL_do_handshake(ssl_);
  if (in_clear_) {
    ERR_clear_error();
    cipher().size = 0;
    return {};
  }
  IoResult r = n == 1 ? IoResult{} : after(n);
  if (!pending_.empty()) flush();
  push();  // sends an alert, too
  if (n != 1) return r;
  if (send_failed_) return {0, IoStatus::kError, error_};
  handshaken_ = true;
  drained_ = false;
  return {};
}

bool TlsTransport::can_read() const {
  return readable_ || !clear_.empty() || sticky_ != IoStatus::kOk ||
         (!drained_ && handshaken_ && SSL_has_pending(ssl_) == 1);
}

IoResult TlsTransport::read_clear(char* into, std::size_t size) {
  if (clear_.empty()) return TcpTransport::receive(fd_, into, size, readable_, hung_up_);
  const std::size_t n = clear_.copy(into, size);
  clear_.erase(0, n);
  return {n, IoStatus::kOk, 0};
}

IoResult TlsTransport::read(char* into, std::size_t size) {
  if (in_clear_) return read_clear(into, size);
  if (sticky_ != IoStatus::kOk) return {0, sticky_, error_};
  if (!can_read()) return {0, IoStatus::kAgain, 0};
  ERR_clear_error();
  std::size_t total = 0;
  IoResult end;
  while (total < size) {
    int n = SSL_read(ssl_, into + total, static_cast<int>(std::min<std::size_t>(size - total, 1 << 30)));
    if (n <= 0) {
      end = after(n);
      break;
    }
    drained_ = false;
    total += static_cast<std::size_t>(n);
    if (!can_read()) break;
  }
  push();
  if (total == 0) return end;
  if (end.status == IoStatus::kEnd || end.status == IoStatus::kError) sticky_ = end.status;
  return {total, IoStatus::kOk, 0};
}

IoResult TlsTransport::write(const iovec* parts, int count) {
  if (in_clear_) return TcpTransport::send(fd_, parts, count, writable_);
  if (!pending_.empty() && flush().status == IoStatus::kError) return {0, IoStatus::kError, error_};
  if (!pending_.empty()) return {0, IoStatus::kAgain, 0};
  ERR_clear_error();
  std::size_t total = 0;
  for (int i = 0; i < count; ++i) total += parts[i].iov_len;
  if (total == 0) return {};
  bool ok = true;
  if (count > 1 && total <= kRecord) {
    // Puts a head and a small body into one record.
    char* all = gather_scratch();
    std::size_t n = 0;
    for (int i = 0; i < count; ++i) {
      std::memcpy(all + n, parts[i].iov_base, parts[i].iov_len);
      n += parts[i].iov_len;
    }
    ok = SSL_write(ssl_, all, static_cast<int>(n)) > 0;
  } else {
    for (int i = 0; i < count && ok; ++i) {
      if (parts[i].iov_len > 0) ok = SSL_write(ssl_, parts[i].iov_base, static_cast<int>(parts[i].iov_len)) > 0;
    }
  }
  if (!ok) {
    ERR_clear_error();
    push();
    return {0, IoStatus::kError, error_};
  }
  if (!push()) return {0, IoStatus::kError, error_};
  return {total, IoStatus::kOk, 0};
}

void TlsTransport::send_close_notify() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
  push();
  ERR_clear_error();
}

void TlsTransport::shutdown_write() {
  if (fd_ < 0) return;
  if (handshaken_ && !send_failed_) send_close_notify();
  shut_pending_ = !pending_.empty();
  if (!shut_pending_) ::shutdown(fd_, SHUT_WR);
}

void TlsTransport::close(bool abort) {
  if (fd_ < 0) return;
  if (abort) {
    TcpTransport::reset_on_close(fd_);
  } else if (handshaken_ && !send_failed_ && pending_.empty() && !broken_) {
    send_close_notify();
  }
  SSL_set_quiet_shutdown(ssl_, 1);
  loop_->remove(slot_, fd_);
  ::close(fd_);
  fd_ = -1;
}

const TlsInfo* TlsTransport::tls() const {
  if (in_clear_) return nullptr;
  thread_local TlsInfo info;
  info.protocol = SSL_get_version(ssl_);
  info.cipher = SSL_get_cipher_name(ssl_);
  const unsigned char* alpn = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &alpn, &size);
  info.alpn = {reinterpret_cast<const char*>(alpn), size};
  const char* sni = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  info.sni = sni != nullptr ? sni : "";
  info.resumed = SSL_session_reused(ssl_) == 1;
  return &info;
}

bool TlsTransport::covers(std::string_view host) const {
  X509* certificate = SSL_get_certificate(ssl_);
  return certificate != nullptr &&
         X509_check_host(certificate, host.data(), host.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

}  // namespace albatross
