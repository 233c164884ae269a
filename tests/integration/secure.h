// TLS for tests, either side, over sockets that do not block. Every wait ends.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/certificates.h"
#include "tests/support/client.h"
#include "tests/support/failure.h"

namespace albatross::test {

using SessionPtr = std::shared_ptr<SSL_SESSION>;

struct SecureOptions {
  std::string name{};               // SNI; empty: none is sent
  std::vector<std::string> alpn{};  // empty: none is sent
  int min_version = TLS1_2_VERSION;
  int max_version = TLS1_3_VERSION;
  SessionPtr session{};      // to be resumed
  std::string before{};      // bytes that go ahead of the handshake
  std::string signatures{};  // the signature algorithms that it verifies; empty: OpenSSL's
};

// One end of a TLS connection.
class SecureChannel final : public Channel {
 public:
  // Handshakes as a client; throws Failure with OpenSSL's reason.
  SecureChannel(Fd fd, const SecureOptions& options) : SecureChannel(std::move(fd), SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), options.min_version);
    SSL_CTX_set_max_proto_version(context_.get(), options.max_version);
    if (!options.signatures.empty()) SSL_CTX_set1_sigalgs_list(context_.get(), options.signatures.c_str());
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* session) {
      static_cast<SecureChannel*>(SSL_get_app_data(ssl))->tickets_.push_back(copy(session));
      return 0;
    });
    open();
    std::string wire;
    for (const std::string& p : options.alpn) wire += static_cast<char>(p.size()) + p;
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned>(wire.size()));
    if (!options.name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.name.c_str());
    if (options.session) SSL_set_session(ssl_.get(), copy(options.session.get()).get());
    send_all(fd_.get(), options.before, Deadline());
    SSL_set_connect_state(ssl_.get());
    handshake();
  }
  // Handshakes as a server; throws likewise.
  SecureChannel(Fd fd, const Identity& identity) : SecureChannel(std::move(fd), SSL_CTX_new(TLS_server_method())) {
    use(identity);
    open();
    SSL_set_accept_state(ssl_.get());
    handshake();
  }

  Got receive(std::string& into, const Deadline& deadline) override {
    const std::size_t had = into.size();
    for (;;) {
      into.resize(had + 16'384);
      ERR_clear_error();
      const int n = SSL_read(ssl_.get(), into.data() + had, 16'384);
      into.resize(had + static_cast<std::size_t>(n > 0 ? n : 0));
      if (n > 0) return Got::kBytes;
      const int error = SSL_get_error(ssl_.get(), n);
      if (error == SSL_ERROR_ZERO_RETURN) return Got::kEnd;
      if (!wait(error, deadline)) return deadline.over() ? Got::kTimeout : Got::kReset;
    }
  }
  Got send(std::string_view bytes, const Deadline& deadline) override {
    while (!bytes.empty()) {
      ERR_clear_error();
      const int n = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (!wait(SSL_get_error(ssl_.get(), n), deadline)) {
        return deadline.over() ? Got::kTimeout : Got::kEnd;
      }
    }
    return Got::kBytes;
  }
  void half_close() override { SSL_shutdown(ssl_.get()); }
  void close() override { fd_.close(); }
  void reset() override { fd_.reset(); }
  int descriptor() const override { return fd_.get(); }

  std::string version() const { return SSL_get_version(ssl_.get()); }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  // Tickets that came; of TLS 1.3 they come behind the handshake.
  const std::vector<SessionPtr>& tickets() const { return tickets_; }
  std::string alpn() const {
    const unsigned char* text = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &text, &size);
    return {reinterpret_cast<const char*>(text), size};
  }
  // The name that the client asked for; on the server's side.
  std::string server_name() const {
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? "" : name;
  }
  // The common name of the peer's certificate.
  std::string peer() const {
    const std::unique_ptr<X509, decltype(&X509_free)> x(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    char name[256] = "";
    if (x) X509_NAME_get_text_by_NID(X509_get_subject_name(x.get()), NID_commonName, name, sizeof name);
    return name;
  }

 private:
  SecureChannel(Fd fd, SSL_CTX* context) : fd_(std::move(fd)), context_(context, SSL_CTX_free) {}

  // OpenSSL spoils a session that was used, or whose connection ended without a word.
  static SessionPtr copy(SSL_SESSION* session) { return {SSL_SESSION_dup(session), SSL_SESSION_free}; }

  void use(const Identity& identity) {
    using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;
    const Memory text(BIO_new_mem_buf(identity.certificate.data(), -1), BIO_free);
    const Memory key_text(BIO_new_mem_buf(identity.key.data(), -1), BIO_free);
    X509* x = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context_.get(), x);
    SSL_CTX_use_PrivateKey(context_.get(), key);
    X509_free(x);
    EVP_PKEY_free(key);
  }
  void open() {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_fd(ssl_.get(), fd_.get());
  }
  void handshake() {
    const Deadline deadline;
    for (;;) {
      ERR_clear_error();
      const int n = SSL_do_handshake(ssl_.get());
      if (n == 1) return;
      const int error = SSL_get_error(ssl_.get(), n);
      if (wait(error, deadline)) continue;
      if (deadline.over()) throw TimedOut("the handshake did not end");
      const unsigned long code = ERR_get_error();
      const char* reason = ERR_reason_error_string(code);
      throw Failure(std::string("handshake: ") + (reason == nullptr ? "the connection ended" : reason));
    }
  }
  // False if it is no matter of waiting, or the time is over.
  bool wait(int error, const Deadline& deadline) const {
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
    pollfd p{fd_.get(), static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
    return ::poll(&p, 1, deadline.left_ms()) > 0;
  }

  Fd fd_;
  std::vector<SessionPtr> tickets_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, SSL_free};
};

// A client of raw bytes over TLS.
class SecureClient : public Client {
 public:
  explicit SecureClient(std::uint16_t port, const SecureOptions& options = {})
      : SecureClient(std::make_unique<SecureChannel>(connect_to(loopback(port)), options)) {}
  const SecureChannel& tls() const { return tls_; }

 private:
  explicit SecureClient(std::unique_ptr<SecureChannel> channel) : SecureClient(*channel, std::move(channel)) {}
  SecureClient(const SecureChannel& tls, std::unique_ptr<SecureChannel>&& channel)
      : Client(std::move(channel)), tls_(tls) {}
  const SecureChannel& tls_;
};

}  // namespace albatross::test
