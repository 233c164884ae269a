// Certificates and keys made at run time, in a directory that goes with the object.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace albatross::tls_test {

class TlsFiles {
 public:
  TlsFiles() {
    char name[] = "/tmp/tls_test.XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~TlsFiles() {
    for (const std::string& f : made_) ::unlink(f.c_str());
    ::rmdir(directory_.c_str());
  }
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  // NAME.pem and NAME.key: self-signed, for `names`, good from yesterday for `days` days.
  void make(const std::string& name, const std::vector<std::string>& names, int days = 10,
            const char* password = nullptr) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial_);
    X509_time_adj_ex(X509_getm_notBefore(x), -1, 0, nullptr);
    X509_time_adj_ex(X509_getm_notAfter(x), days, 0, nullptr);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    if (!names.empty()) {
      std::string list;
      for (const std::string& n : names) list += (list.empty() ? "DNS:" : ",DNS:") + n;
      X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, list.c_str());
      X509_add_ext(x, e, -1);
      X509_EXTENSION_free(e);
    }
    X509_sign(x, key, EVP_sha256());
    FILE* f = open(name + ".pem");
    PEM_write_X509(f, x);
    std::fclose(f);
    f = open(name + ".key");
    PEM_write_PrivateKey(f, key, password != nullptr ? EVP_aes_128_cbc() : nullptr,
                         reinterpret_cast<const unsigned char*>(password), password != nullptr ? 1 : 0, nullptr,
                         nullptr);
    std::fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
  }
  void write(const std::string& name, const std::string& text) {
    FILE* f = open(name);
    std::fwrite(text.data(), 1, text.size(), f);
    std::fclose(f);
  }

 private:
  FILE* open(const std::string& name) {
    made_.push_back(path(name));
    return std::fopen(made_.back().c_str(), "w");
  }
  std::string directory_;
  std::vector<std::string> made_;
  int serial_ = 0;
};

}  // namespace albatross::tls_test
