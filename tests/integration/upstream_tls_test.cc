// TLS towards servers: who is believed, and that nothing of the others reaches a client.
#include <unistd.h>

#include "tests/integration/secure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

// A server of TLS that answers each request with "secret".
FakeUpstream::Handler secure_server(const Identity& identity) {
  return [identity](FakeConnection& c) {
    SecureChannel tls(Fd(::dup(c.descriptor())), identity);
    const ByteSource more = [&] {
      std::string bytes;
      if (tls.receive(bytes, Deadline()) != Got::kBytes) throw Truncated("the proxy left");
      return bytes;
    };
    for (std::string held;;) {
      read_message(Side::kRequest, held, more);
      tls.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Name: " + tls.server_name() +
                   "\r\nX-Version: " + tls.version() + "\r\n\r\nsecret",
               Deadline());
    }
  };
}

std::string group(const std::string& keys) { return "protocol: https\ntls: {" + keys + "}\ntimeouts: {connect: 3s}"; }

}  // namespace

TEST_CASE("a server that proves its name is spoken to", "[tls]") {
  const Authority authority;
  const auto folder = std::make_shared<TempDir>();
  folder->write("ca.pem", authority.certificate());
  FakeUpstream up(secure_server(authority.issue("app", "DNS:app.internal,IP:127.0.0.1")));
  const std::string keys = GENERATE(std::string("ca: ca.pem, server_name: app.internal"), std::string("ca: ca.pem"));
  TestProxy proxy(Setup{.servers = {up.address()}, .group = group(keys)}.yaml(), {}, folder);
  Client client(proxy.port());
  const Message answer = client.get("/");
  CHECK(answer.status() == 200);
  CHECK(answer.body == "secret");
  CHECK(answer.get("x-version") == "TLSv1.3");
  CHECK(answer.get("x-name") == (keys.ends_with("internal") ? "app.internal" : ""));
  CHECK(client.get("/").body == "secret");
  CHECK(up.connections() == 1);
}

TEST_CASE("a server that does not prove its name is a 502 and sees no request", "[tls]") {
  const Authority authority, stranger("stranger");
  const auto folder = std::make_shared<TempDir>();
  folder->write("ca.pem", authority.certificate());
  Identity identity;
  SECTION("another name") { identity = authority.issue("other", "DNS:other.internal,DNS:*.internal.example"); }
  SECTION("an authority that nobody knows") { identity = stranger.issue("app", "DNS:app.internal"); }
  SECTION("too old") { identity = authority.issue("app", "DNS:app.internal", -3600); }
  SECTION("the common name alone") { identity = authority.issue("app.internal", "DNS:other.internal"); }
  FakeUpstream up(secure_server(identity));
  TestProxy proxy(Setup{.servers = {up.address()}, .group = group("ca: ca.pem, server_name: app.internal")}.yaml(), {},
                  folder);
  Client client(proxy.port());
  const Message answer = client.get("/");
  CHECK(answer.status() == 502);
  CHECK(answer.body.find("secret") == std::string::npos);
  auto line = proxy.log(1)[0];
  CHECK(line["termination"] == "upstream_tls");
  CHECK(up.requests() == 0);
}

TEST_CASE("verify: false takes any certificate", "[tls]") {
  FakeUpstream up(secure_server(Authority().issue("any", "DNS:any")));
  TestProxy proxy(Setup{.servers = {up.address()}, .group = group("verify: false")});
  Client client(proxy.port());
  CHECK(client.get("/").body == "secret");
}

TEST_CASE("bytes in front of the handshake are never an answer", "[tls]") {
  const Authority authority;
  const auto folder = std::make_shared<TempDir>();
  folder->write("ca.pem", authority.certificate());
  const bool handshakes = GENERATE(false, true);
  const auto serve = secure_server(authority.issue("app", "DNS:app.internal"));
  FakeUpstream up([&](FakeConnection& c) {
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    if (handshakes) serve(c);
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .group = group("ca: ca.pem, server_name: app.internal")}.yaml(), {},
                  folder);
  Client client(proxy.port());
  const Message answer = client.get("/");
  CHECK(answer.status() == 502);
  CHECK(answer.raw.find("evil") == std::string::npos);
  CHECK(answer.raw.find("secret") == std::string::npos);
  CHECK(proxy.log(1)[0]["termination"] == "upstream_tls");
}

TEST_CASE("a server that never handshakes is a 504 after the connect timeout", "[tls]") {
  FakeUpstream up([](FakeConnection& c) { c.wait_for_close(); });
  TestProxy proxy(Setup{.servers = {up.address()},
                        .group = "protocol: https\ntls: {verify: false}\nretries: false\ntimeouts: {connect: 300ms}"});
  Client client(proxy.port());
  const Stopwatch watch;
  CHECK(client.get("/").status() == 504);
  CHECK(watch.seconds() > 0.25);
  CHECK(watch.seconds() < 2);
  CHECK(eventually([&] { return up.open() == 0; }, Ms(1000)));
  CHECK(proxy.log(1)[0]["termination"] == "connect_timeout");
}

TEST_CASE("an answer that ends without close_notify and without a length is visibly cut", "[tls]") {
  const Identity identity = Authority().issue("app", "DNS:app.internal");
  FakeUpstream up([&](FakeConnection& c) {
    SecureChannel tls(Fd(::dup(c.descriptor())), identity);
    std::string request;
    tls.receive(request, Deadline());
    tls.send("HTTP/1.1 200 OK\r\n\r\nthe first ha", Deadline());
    ::shutdown(c.descriptor(), SHUT_RDWR);
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .group = group("verify: false")});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_THROWS_AS(client.read_response(), Truncated);
  CHECK(proxy.log(1)[0]["termination"] == "upstream_truncated");
}
