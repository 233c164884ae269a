#include "tls/tls_certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "base/text.h"
#include "tls/tls_transport.h"

namespace albatross {
namespace {

// DNS names of the certificate; a name with a NUL inside is not one.
std::vector<std::string> names_of(X509* x) {
  std::vector<std::string> out;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* n = sk_GENERAL_NAME_value(names, i);
    if (n->type != GEN_DNS) continue;
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(n->d.dNSName)),
                     static_cast<std::size_t>(ASN1_STRING_length(n->d.dNSName)));
    if (text.find('\0') == std::string::npos) out.push_back(ascii_lower(text));
  }
  GENERAL_NAMES_free(names);
  if (out.empty()) {
    char cn[256];
    int n = X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, cn, sizeof cn);
    if (n > 0 && static_cast<std::size_t>(n) == std::string(cn).size()) out.push_back(ascii_lower(cn));
  }
  return out;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm tm{};
  if (ASN1_TIME_to_tm(time, &tm) != 1) return 0;
  return static_cast<std::int64_t>(timegm(&tm));
}

int no_password(char*, int, int, void*) { return -1; }

}  // namespace

bool load_certificate(SSL_CTX* ctx, const config::Certificate& c, const std::string& path, config::Diagnostics& out,
                      CertificateInfo& info, std::string& fingerprint) {
  ERR_clear_error();
  SSL_CTX_set_default_passwd_cb(ctx, no_password);
  if (SSL_CTX_use_certificate_chain_file(ctx, c.cert->c_str()) != 1) {
    out.error(c.cert.at, path + ".cert", *c.cert + ": " + last_tls_error(),
              "a PEM file with the certificate, then its chain");
    return false;
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, c.key->c_str(), SSL_FILETYPE_PEM) != 1) {
    std::string why = last_tls_error();
    out.error(c.key.at, path + ".key", *c.key + ": " + why,
              why == "key values mismatch" ? "this key belongs to another certificate"
                                           : "a PEM file with an unencrypted private key");
    return false;
  }
  X509* x = SSL_CTX_get0_certificate(ctx);
  info.names = names_of(x);
  info.not_before = seconds_of(X509_get0_notBefore(x));
  info.not_after = seconds_of(X509_get0_notAfter(x));
  info.file = *c.cert;
  if (const char* type = EVP_PKEY_get0_type_name(X509_get0_pubkey(x))) info.key_type = type;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509_digest(x, EVP_sha256(), digest, &size);
  fingerprint.append(reinterpret_cast<char*>(digest), size);
  if (info.not_after < std::time(nullptr))
    out.warning(c.cert.at, path + ".cert", *c.cert + ": the certificate has expired", "renew it");
  return true;
}

}  // namespace albatross
