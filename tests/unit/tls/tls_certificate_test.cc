#include "tls/tls_certificate.h"

#include <openssl/ssl.h>

#include <catch2/catch_test_macros.hpp>
#include <ctime>

#include "tests/unit/tls/tls_files.h"
#include "tls/ticket_keys.h"

namespace albatross::tls_test {
namespace {

struct Loading {
  SSL_CTX* ctx = SSL_CTX_new(TLS_server_method());
  config::Diagnostics out{"f.yaml", ""};
  CertificateInfo info;
  std::string fingerprint;
  ~Loading() { SSL_CTX_free(ctx); }

  bool load(const std::string& cert, const std::string& key) {
    config::Certificate c;
    c.cert = config::Value<std::string>(cert, {3, 7});
    c.key = config::Value<std::string>(key, {4, 9});
    return load_certificate(ctx, c, "listeners[0].certificates[0]", out, info, fingerprint);
  }
};

}  // namespace

TEST_CASE("a certificate tells its names and its end") {
  TlsFiles files;
  files.make("a", {"Shop.Example", "*.example"});
  Loading l;
  REQUIRE(l.load(files.path("a.pem"), files.path("a.key")));
  CHECK(l.out.ok());
  CHECK(l.info.names == std::vector<std::string>{"shop.example", "*.example"});
  CHECK(l.info.file == files.path("a.pem"));
  CHECK(l.info.not_after > std::time(nullptr) + 9 * 86400);
  CHECK(l.info.not_after < std::time(nullptr) + 11 * 86400);
  CHECK_FALSE(l.fingerprint.empty());
  files.make("only.name", {});
  Loading n;
  REQUIRE(n.load(files.path("only.name.pem"), files.path("only.name.key")));
  CHECK(n.info.names == std::vector<std::string>{"only.name"});
  CHECK(n.fingerprint != l.fingerprint);
}

TEST_CASE("an expired certificate loads with a warning") {
  TlsFiles files;
  files.make("old", {"a"}, 0);
  files.make("older", {"a"}, -1);
  Loading l;
  CHECK(l.load(files.path("older.pem"), files.path("older.key")));
  CHECK(l.out.ok());
  REQUIRE(l.out.all().size() == 1);
  CHECK(l.out.all()[0].message.find("expired") != std::string::npos);
}

TEST_CASE("what cannot be loaded is an error at its place") {
  TlsFiles files;
  files.make("a", {"a"});
  files.make("b", {"b"});
  files.make("locked", {"a"}, 10, "secret");
  files.write("empty", "");
  files.write("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  struct Case {
    const char *cert, *key;
    bool at_key;
    const char* says;
  };
  for (const Case& c : {Case{"missing.pem", "a.key", false, "missing.pem: "},
                        {"a.pem", "missing.key", true, "missing.key: "},
                        {"a.pem", "b.key", true, "mismatch"},
                        {"locked.pem", "locked.key", true, "locked.key: "},
                        {"empty", "a.key", false, "empty: "},
                        {"garbage", "a.key", false, "garbage: "},
                        {"a.key", "a.key", false, "a.key: "},
                        {"a.pem", "a.pem", true, "a.pem: "},
                        {"a.pem", "empty", true, "empty: "}}) {
    CAPTURE(c.cert, c.key);
    Loading l;
    CHECK_FALSE(l.load(files.path(c.cert), files.path(c.key)));
    REQUIRE(l.out.errors() == 1);
    const config::Diagnostic& d = l.out.all()[0];
    CHECK(d.at.line == (c.at_key ? 4u : 3u));
    CHECK(d.path == (c.at_key ? "listeners[0].certificates[0].key" : "listeners[0].certificates[0].cert"));
    CHECK(d.message.find(c.says) != std::string::npos);
    CHECK(d.message.find("unknown error") == std::string::npos);
    CHECK_FALSE(d.hint.empty());
  }
}

TEST_CASE("a listener reports all its bad certificates and an unknown policy") {
  TlsFiles files;
  files.make("a", {"a"});
  config::Listener listener;
  listener.name = config::Value<std::string>("web");
  for (const char* name : {"a", "x", "y"}) {
    config::Certificate c;
    c.cert = config::Value<std::string>(files.path(std::string(name) + ".pem"));
    c.key = config::Value<std::string>(files.path(std::string(name) + ".key"));
    listener.certificates.push_back(c);
  }
  config::Diagnostics out("f.yaml", "");
  CHECK(TlsServer::create(listener, "listeners[0]", std::make_shared<TicketKeys>(), out) == nullptr);
  CHECK(out.errors() == 2);
  listener.certificates.resize(1);
  config::Diagnostics good("f.yaml", "");
  auto server = TlsServer::create(listener, "listeners[0]", std::make_shared<TicketKeys>(), good);
  REQUIRE(server != nullptr);
  CHECK(server->certificates().size() == 1);
  std::string fingerprint = server->fingerprint();
  listener.security_policy = config::Value<std::string>("tls_cipher_policy_1_2");
  auto other = TlsServer::create(listener, "listeners[0]", std::make_shared<TicketKeys>(), good);
  REQUIRE(other != nullptr);
  CHECK(other->fingerprint() != fingerprint);
  listener.security_policy = config::Value<std::string>("nonsense");
  config::Diagnostics bad("f.yaml", "");
  CHECK(TlsServer::create(listener, "listeners[0]", std::make_shared<TicketKeys>(), bad) == nullptr);
  CHECK(bad.errors() == 1);
}

}  // namespace albatross::tls_test
