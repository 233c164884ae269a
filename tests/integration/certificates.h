// Certificates for tests: an authority, and what it has signed. Any thread; everything is owned by value.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <string>

#include "tests/support/failure.h"
#include "tests/support/temp_dir.h"

namespace albatross::test {

// A certificate and its key, both PEM.
struct Identity {
  std::string certificate;
  std::string key;

  // NAME.pem and NAME.key in the folder.
  void write(const TempDir& folder, const std::string& name) const {
    folder.write(name + ".pem", certificate);
    folder.write(name + ".key", key);
  }
};

class Authority {
 public:
  explicit Authority(const std::string& name = "test authority")
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free),
        certificate_(make(name, "", 86'400, key_.get(), nullptr), X509_free) {}

  // For "DNS:a.example,DNS:*.b.example,IP:127.0.0.1"; the common name is `name`. `life` in seconds from now, may be
  // past.
  Identity issue(const std::string& name, const std::string& alternatives, long life = 86'400, bool rsa = false) const {
    const Key key(rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free);
    const Certificate certificate(make(name, alternatives, life, key.get(), certificate_.get()), X509_free);
    return {pem(certificate.get()), pem(key.get())};
  }
  std::string certificate() const { return pem(certificate_.get()); }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  // Without an issuer: an authority, signed by itself.
  X509* make(const std::string& name, const std::string& alternatives, long life, EVP_PKEY* key,
             const X509* issuer) const {
    X509* x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set_int64(X509_get_serialNumber(x), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(x), -86'400);
    X509_gmtime_adj(X509_getm_notAfter(x), life);
    X509_NAME* subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(x, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(x, key);
    extend(x, NID_basic_constraints, issuer == nullptr ? "CA:TRUE" : "CA:FALSE");
    if (!alternatives.empty()) extend(x, NID_subject_alt_name, alternatives.c_str());
    X509_sign(x, key_.get(), EVP_sha256());
    return x;
  }
  static void extend(X509* x, int kind, const char* value) {
    X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    if (e == nullptr) throw Failure(std::string("no such extension: ") + value);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
  }
  template <class Write>
  static std::string written(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
    write(memory.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }
  static std::string pem(X509* x) {
    return written([&](BIO* b) { PEM_write_bio_X509(b, x); });
  }
  static std::string pem(EVP_PKEY* k) {
    return written([&](BIO* b) { PEM_write_bio_PrivateKey(b, k, nullptr, nullptr, 0, nullptr, nullptr); });
  }

  mutable long serial_ = std::time(nullptr);
  Key key_;
  Certificate certificate_;
};

}  // namespace albatross::test
