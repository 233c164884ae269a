#include "tls/tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <mutex>

#include "base/ip.h"
#include "tls/tls_transport.h"

namespace albatross {
namespace {

class Client final : public TlsClient, public std::enable_shared_from_this<Client> {
 public:
  Client() : ctx_(SSL_CTX_new(TLS_client_method())) {}
  ~Client() override {
    if (session_ != nullptr) SSL_SESSION_free(session_);
    SSL_CTX_free(ctx_);
  }

  bool build(const config::UpstreamTls& settings, const std::string& host, bool h2, const std::string& path,
             config::Diagnostics& out) {
    name_ = settings.server_name->empty() ? host : *settings.server_name;
    verify_ = settings.verify;
    SSL_CTX_set_min_proto_version(ctx_, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx_, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx_, 1);
    SSL_CTX_set_options(ctx_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(ctx_, verify_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(ctx_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(ctx_, this);
    SSL_CTX_sess_set_new_cb(ctx_, on_new_session);
    std::string_view alpn = h2 ? "\x02h2" : "\x08http/1.1";
    SSL_CTX_set_alpn_protos(ctx_, reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
    ERR_clear_error();
    if (!verify_) return true;
    if (settings.ca->empty()) {
      SSL_CTX_set_default_verify_paths(ctx_);
    } else if (SSL_CTX_load_verify_file(ctx_, settings.ca->c_str()) != 1) {
      out.error(settings.ca.at, path + ".tls.ca", *settings.ca + ": " + last_tls_error(),
                "a PEM file with the CA's certificates");
      return false;
    }
    return true;
  }

  std::unique_ptr<Transport> connect(Loop& loop, Ready& owner, int fd) override {
    SSL* ssl = SSL_new(ctx_);
    bool is_address = IpAddress::parse(name_).has_value();
    if (verify_) {
      X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
      X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      if (is_address) {
        X509_VERIFY_PARAM_set1_ip_asc(param, name_.c_str());
      } else {
        X509_VERIFY_PARAM_set1_host(param, name_.data(), name_.size());
      }
    }
    if (!is_address) SSL_set_tlsext_host_name(ssl, name_.c_str());
    {
      std::lock_guard lock(lock_);
      if (session_ != nullptr) SSL_set_session(ssl, session_);
    }
    SSL_set_connect_state(ssl);
    return std::make_unique<TlsTransport>(loop, owner, fd, ssl, true, false, shared_from_this());
  }

 private:
  static int on_new_session(SSL* ssl, SSL_SESSION* session) {
    auto* self = static_cast<Client*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    std::lock_guard lock(self->lock_);
    if (self->session_ != nullptr) SSL_SESSION_free(self->session_);
    self->session_ = session;
    return 1;  // the reference is ours
  }

  SSL_CTX* ctx_;
  std::string name_;
  bool verify_ = true;
  std::mutex lock_;  // taken at handshakes only
  SSL_SESSION* session_ = nullptr;
};

}  // namespace

std::shared_ptr<TlsClient> TlsClient::create(const config::UpstreamTls& settings, const std::string& host, bool h2,
                                             const std::string& path, config::Diagnostics& out) {
  auto c = std::make_shared<Client>();
  if (!c->build(settings, host, h2, path, out)) return nullptr;
  return c;
}

}  // namespace albatross
