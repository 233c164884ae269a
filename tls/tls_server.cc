#include "tls/tls_server.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/text.h"
#include "tls/ticket_keys.h"
#include "tls/tls_certificate.h"
#include "tls/tls_policy.h"
#include "tls/tls_transport.h"

namespace albatross {
namespace {

struct ContextDeleter {
  void operator()(SSL_CTX* c) const { SSL_CTX_free(c); }
};
using Context = std::unique_ptr<SSL_CTX, ContextDeleter>;

// `arg`: the protocols of the listener, in the order of our preference.
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned size,
                void* arg) {
  std::string_view ours(static_cast<const char*>(arg));
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), in, size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 §3.2
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// The host_name of the server_name extension (RFC 6066 §3); empty if there is none. OpenSSL refuses a malformed one
// later.
std::string_view requested_name(SSL* ssl) {
  constexpr std::size_t kBefore = 5;  // the list's length, the type, the name's length
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) != 1 || size < kBefore) return {};
  const std::size_t length = std::size_t{data[3]} << 8 | data[4];
  if (data[2] != TLSEXT_NAMETYPE_host_name || length > size - kBefore) return {};
  return {reinterpret_cast<const char*>(data) + kBefore, length};
}

class Server final : public TlsServer, public std::enable_shared_from_this<Server> {
 public:
  explicit Server(std::shared_ptr<TicketKeys> tickets) : tickets_(std::move(tickets)) {}

  bool build(const config::Listener& listener, const std::string& path, config::Diagnostics& out) {
    const TlsPolicy* policy = find_policy(*listener.security_policy);
    if (policy == nullptr) {
      out.error(listener.security_policy.at, path + ".security_policy", "unknown security policy");
      return false;
    }
    const bool http2 = listener.http2.value_or(true);
    fingerprint_ = std::string(policy->name) + (http2 ? " h2" : "");
    contents_ = fingerprint_;
    Certificates by_name;
    bool ok = true;
    for (std::size_t i = 0; i < listener.certificates.size(); ++i) {
      const Context alone = make_context(*policy, *listener.name, http2);
      const std::string at = path + ".certificates[" + std::to_string(i) + "]";
      CertificateInfo& info = certificates_.emplace_back();
      ok &= load_certificate(alone.get(), listener.certificates[i], at, out, info, contents_) &&
            add_names(listener, i, at, by_name, out);
    }
    if (!ok || certificates_.empty()) return false;
    // Certificates of several key types for one name are in one context, and OpenSSL serves the one that the client can
    // verify.
    std::map<std::vector<std::size_t>, SSL_CTX*> made;
    const auto context_of = [&](const std::vector<std::size_t>& which) {
      SSL_CTX*& c = made[which];
      if (c != nullptr) return c;
      contexts_.push_back(make_context(*policy, *listener.name, http2));
      c = contexts_.back().get();
      for (const std::size_t i : which) {
        CertificateInfo again;
        std::string unused;
        config::Diagnostics said("", "");  // repeats the messages from above
        if (load_certificate(c, listener.certificates[i], "", said, again, unused)) continue;
        ok = false;
        out.error(listener.certificates[i].cert.at, path + ".certificates", "a file has changed while it was read",
                  "read it again");
      }
      return c;
    };
    const auto& names = certificates_[0].names;
    context_of(names.empty() ? std::vector<std::size_t>{0} : by_name[names[0]]);
    for (const auto& [name, which] : by_name) by_name_[name] = context_of(which);
    return ok;
  }

  std::unique_ptr<Transport> accept(Loop& loop, Ready& owner, int fd, bool proxied) override {
    SSL* ssl = SSL_new(contexts_[0].get());
    SSL_set_accept_state(ssl);
    return std::make_unique<TlsTransport>(loop, owner, fd, ssl, false, proxied, shared_from_this());
  }

  const std::vector<CertificateInfo>& certificates() const override { return certificates_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  const std::string& contents() const override { return contents_; }

 private:
  using Certificates = std::map<std::string, std::vector<std::size_t>>;  // by name: the first of each key type

  // Adds the certificate under its names. One that could never be served is an error, one that is not served for some
  // of its names a warning.
  bool add_names(const config::Listener& listener, std::size_t i, const std::string& path, Certificates& by_name,
                 config::Diagnostics& out) const {
    const CertificateInfo& info = certificates_[i];
    std::string hidden;
    std::size_t by = 0, count = 0;
    for (const std::string& name : info.names) {
      std::vector<std::size_t>& which = by_name[name];
      const auto same = std::find_if(which.begin(), which.end(),
                                     [&](std::size_t other) { return certificates_[other].key_type == info.key_type; });
      if (same == which.end()) {
        which.push_back(i);
        continue;
      }
      ++count;
      hidden = name;
      by = *same;
    }
    if (count == 0) return true;
    const config::Certificate& at = listener.certificates[i];
    const std::string first = "certificates[" + std::to_string(by) + "]";
    if (count == info.names.size()) {
      out.error(at.cert.at, path + ".cert",
                "it is never served: " + first + " has the same names and the same type of key, " + info.key_type,
                "remove one of them; an RSA and an EC certificate may stand side by side");
      return false;
    }
    out.warning(at.cert.at, path + ".cert", "it is not served for " + hidden + ", which " + first + " covers, too");
    return true;
  }

  Context make_context(const TlsPolicy& policy, const std::string& listener, bool http2) {
    Context c(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* x = c.get();
    SSL_CTX_set_min_proto_version(x, policy.min_version);
    SSL_CTX_set_max_proto_version(x, policy.max_version);
    SSL_CTX_set_cipher_list(x, policy.ciphers);
    SSL_CTX_set_ciphersuites(x, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set1_groups_list(x, "X25519:P-256:P-384");
    SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(x, 1);
    SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);  // tickets only: no state to share or to run out of
    SSL_CTX_set_num_tickets(x, 2);
    SSL_CTX_set_session_id_context(
        x, reinterpret_cast<const unsigned char*>(listener.data()),
        static_cast<unsigned>(std::min<std::size_t>(listener.size(), SSL_MAX_SSL_SESSION_ID_LENGTH)));
    SSL_CTX_set_app_data(x, this);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(x, on_ticket);
    SSL_CTX_set_client_hello_cb(x, on_client_hello, this);
    SSL_CTX_set_tlsext_servername_callback(x, accept_server_name);
    const char* protocols = http2 ? "\x02h2\x08http/1.1\x08http/1.0" : "\x08http/1.1\x08http/1.0";
    SSL_CTX_set_alpn_select_cb(x, select_alpn, const_cast<char*>(protocols));
    return c;
  }

  // The certificate is chosen before OpenSSL looks at a ticket, so that a session is resumed under the policy of the
  // name that the client asks for now. The exact name comes first, then the one with its first label replaced by "*";
  // else the first certificate is used.
  static int on_client_hello(SSL* ssl, int*, void* arg) {
    const std::string host = ascii_lower(requested_name(ssl));
    const auto& names = static_cast<Server*>(arg)->by_name_;
    auto it = names.find(host);
    if (const std::size_t dot = host.find('.'); it == names.end() && dot != std::string::npos) {
      it = names.find("*" + host.substr(dot));
    }
    if (it != names.end()) SSL_set_SSL_CTX(ssl, it->second);
    return SSL_CLIENT_HELLO_SUCCESS;
  }

  // Tells OpenSSL that the name is known, so that it is kept with the session.
  static int accept_server_name(SSL* ssl, int*, void*) {
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) == nullptr ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
  }

  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                       int encrypt) {
    const TicketKeys& keys = *static_cast<Server*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->tickets_;
    TicketKeys::Key key;
    bool renew = false;
    if (encrypt == 1) {
      key = keys.current();
      std::memcpy(name, key.name.data(), key.name.size());
      if (RAND_bytes(iv, 16) != 1) return -1;
    } else if (!keys.find(name, key, renew)) {
      return 0;
    }
    OSSL_PARAM params[3] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
                            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
                            OSSL_PARAM_construct_end()};
    bool ok = EVP_MAC_CTX_set_params(mac, params) == 1 &&
              (encrypt == 1 ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv)
                            : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv)) == 1;
    OPENSSL_cleanse(&key, sizeof key);
    if (!ok) return -1;
    // A TLS 1.3 client uses a ticket once: it gets a new one with each connection.
    return renew || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
  }

  std::shared_ptr<TicketKeys> tickets_;
  std::vector<Context> contexts_;
  std::map<std::string, SSL_CTX*, std::less<>> by_name_;
  std::vector<CertificateInfo> certificates_;
  std::string fingerprint_, contents_;
};

}  // namespace

std::shared_ptr<TlsServer> TlsServer::create(const config::Listener& listener, const std::string& path,
                                             std::shared_ptr<TicketKeys> tickets, config::Diagnostics& out) {
  auto s = std::make_shared<Server>(std::move(tickets));
  if (!s->build(listener, path, out)) return nullptr;
  return s;
}

}  // namespace albatross
