#include "tls/tls_policy.h"

#include <openssl/ssl.h>

#include <catch2/catch_test_macros.hpp>

#include "config/table/table.h"
#include "tls/ticket_keys.h"

namespace albatross::tls_test {

TEST_CASE("every security policy that the configuration knows is built, and OpenSSL takes its ciphers") {
  for (const std::string& name : config::security_policies()) {
    CAPTURE(name);
    const TlsPolicy* p = find_policy(name);
    REQUIRE(p != nullptr);
    CHECK(p->name == name);
    CHECK(p->min_version <= p->max_version);
    CHECK(p->weak == (p->min_version < TLS1_2_VERSION));
    SSL_CTX* c = SSL_CTX_new(TLS_server_method());
    CHECK(SSL_CTX_set_cipher_list(c, p->ciphers) == 1);
    CHECK(SSL_CTX_set_min_proto_version(c, p->min_version) == 1);
    CHECK(SSL_CTX_set_max_proto_version(c, p->max_version) == 1);
    SSL_CTX_free(c);
  }
  CHECK(find_policy("") == nullptr);
  CHECK(find_policy("tls_cipher_policy_9") == nullptr);
}

TEST_CASE("the default policy is TLS 1.2 with AEAD ciphers, and 1.3") {
  const TlsPolicy* p = find_policy("tls_cipher_policy_1_2_strict_with_1_3");
  REQUIRE(p != nullptr);
  CHECK(p->min_version == TLS1_2_VERSION);
  CHECK(p->max_version == TLS1_3_VERSION);
  SSL_CTX* c = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_cipher_list(c, p->ciphers);
  SSL_CTX_set_ciphersuites(c, "");
  STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(c);
  CHECK(sk_SSL_CIPHER_num(ciphers) > 0);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    CAPTURE(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)));
    CHECK(SSL_CIPHER_is_aead(sk_SSL_CIPHER_value(ciphers, i)) == 1);
  }
  SSL_CTX_free(c);
}

TEST_CASE("ticket keys are found by name until they are rotated out") {
  TicketKeys keys;
  TicketKeys::Key first = keys.current(), out;
  bool renew = true;
  REQUIRE(keys.find(first.name.data(), out, renew));
  CHECK_FALSE(renew);
  CHECK(out.cipher == first.cipher);
  CHECK(out.mac == first.mac);
  for (std::size_t i = 1; i < TicketKeys::kKeep; ++i) {
    keys.rotate();
    CHECK(keys.current().name != first.name);
    REQUIRE(keys.find(first.name.data(), out, renew));
    CHECK(renew);
    CHECK(out.cipher == first.cipher);
  }
  keys.rotate();
  CHECK_FALSE(keys.find(first.name.data(), out, renew));
}

}  // namespace albatross::tls_test
