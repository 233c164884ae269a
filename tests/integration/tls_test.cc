// TLS towards clients: which certificate, which version, resumption, ALPN, and what is no TLS at all.
#include "tests/integration/secure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;
using Catch::Matchers::ContainsSubstring;

namespace {

// Three certificates: one.example (the default), two.example, *.wild.example.
class Bed {
 public:
  explicit Bed(const std::string& more = {}, int workers = 1, const std::string& top = {}) {
    const Authority authority;
    authority.issue("one.example", "DNS:one.example").write(*folder_, "one");
    authority.issue("two.example", "DNS:two.example,DNS:also.example").write(*folder_, "two");
    authority.issue("wild", "DNS:*.wild.example").write(*folder_, "wild");
    proxy_ = std::make_unique<TestProxy>(Setup{.servers = {up.address()},
                                               .listener = certificates() + more,
                                               .top = top,
                                               .protocol = "https",
                                               .workers = workers}
                                             .yaml(),
                                         ProxyOptions{}, folder_);
  }
  static std::string certificates() {
    return "certificates:\n  - {cert: one.pem, key: one.key}\n  - {cert: two.pem, key: two.key}\n"
           "  - {cert: wild.pem, key: wild.key}\n";
  }
  std::uint16_t port() { return proxy_->port(); }
  TestProxy& proxy() { return *proxy_; }

  FakeUpstream up{FakeUpstream::say("hello")};

 private:
  std::shared_ptr<TempDir> folder_ = std::make_shared<TempDir>();
  std::unique_ptr<TestProxy> proxy_;
};

}  // namespace

TEST_CASE("the certificate follows the name that the client asks for", "[tls]") {
  Bed bed;
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto presented = [&](const std::string& name) {
    SecureClient client(bed.port(), {.name = name, .min_version = version, .max_version = version});
    CHECK(client.get("/").body == "hello");
    return client.tls().peer();
  };
  CHECK(presented("one.example") == "one.example");
  CHECK(presented("two.example") == "two.example");
  CHECK(presented("also.example") == "two.example");
  CHECK(presented("TWO.Example") == "two.example");
  CHECK(presented("a.wild.example") == "wild");
  CHECK(presented("a.b.wild.example") == "one.example");
  CHECK(presented("wild.example") == "one.example");
  CHECK(presented("unknown.example") == "one.example");
  CHECK(presented("") == "one.example");
}

TEST_CASE("version and cipher of a connection are in the log", "[tls]") {
  Bed bed;
  const bool old = GENERATE(false, true);
  const int version = old ? TLS1_2_VERSION : TLS1_3_VERSION;
  SecureClient client(bed.port(), {.name = "one.example", .min_version = version, .max_version = version});
  CHECK(client.get("/").body == "hello");
  CHECK(client.tls().version() == (old ? "TLSv1.2" : "TLSv1.3"));
  auto line = bed.proxy().log(1)[0];
  CHECK(line["ssl_protocol"] == (old ? "TLSv1.2" : "TLSv1.3"));
  CHECK_FALSE(line["ssl_cipher"].get<std::string>().empty());
  CHECK(line["scheme"] == "https");
  CHECK_THAT(bed.up.received(),
             ContainsSubstring("x-forwarded-proto: https") || ContainsSubstring("X-Forwarded-Proto: https"));
}

TEST_CASE("a policy of TLS 1.3 alone refuses a 1.2 client", "[tls]") {
  Bed bed("security_policy: ELBSecurityPolicy-TLS13-1-3-2021-06\n");
  CHECK_THROWS_WITH(SecureClient(bed.port(), {.name = "one.example", .max_version = TLS1_2_VERSION}),
                    ContainsSubstring("protocol version"));
  SecureClient client(bed.port(), {.name = "one.example"});
  CHECK(client.get("/").body == "hello");
}

TEST_CASE("every connection that follows is resumed, whichever worker takes it", "[tls]") {
  const std::string name = GENERATE(std::string("one.example"), std::string("two.example"));
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  CAPTURE(name, version);
  Bed bed({}, 2);
  SecureOptions options{.name = name, .min_version = version, .max_version = version};
  SecureClient first(bed.port(), options);
  CHECK(first.get("/").body == "hello");
  CHECK_FALSE(first.tls().resumed());
  REQUIRE_FALSE(first.tls().tickets().empty());
  options.session = first.tls().tickets().front();
  for (int i = 0; i < 12; ++i) {
    SecureClient client(bed.port(), options);
    CHECK(client.get("/").body == "hello");
    CHECK(client.tls().resumed());
    CHECK(client.tls().peer() == name);
  }
}

TEST_CASE("a reload that leaves the listener alone keeps its tickets good", "[tls]") {
  Bed bed;
  SecureOptions options{.name = "one.example"};
  SecureClient first(bed.port(), options);
  CHECK(first.get("/").body == "hello");
  REQUIRE_FALSE(first.tls().tickets().empty());
  options.session = first.tls().tickets().front();
  const Setup changed{
      .servers = {bed.up.address()}, .listener = Bed::certificates() + "timeouts: {idle: 20s}\n", .protocol = "https"};
  REQUIRE(bed.proxy().reload(changed).ok);
  SecureClient client(bed.port(), options);
  CHECK(client.tls().resumed());
  CHECK(client.get("/").body == "hello");
}

TEST_CASE("a listener's ticket is worth nothing at another listener", "[tls]") {
  FakeUpstream up(FakeUpstream::say("hello"));
  const auto folder = std::make_shared<TempDir>();
  Authority().issue("one.example", "DNS:one.example").write(*folder, "one");
  std::string yaml = "listeners:\n";
  for (const char* name : {"a", "b"}) {
    yaml += std::string("  - name: ") + name +
            "\n    bind: \"127.0.0.1:0\"\n    protocol: https\n    certificates: [{cert: one.pem, key: one.key}]\n"
            "    default_actions: [{forward: app}]\n";
  }
  yaml += "server_groups:\n  - {name: app, servers: [{address: \"" + up.address() + "\"}]}\nworkers: 1\n";
  TestProxy proxy(yaml, {}, folder);
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  SecureOptions options{.name = "one.example", .min_version = version, .max_version = version};
  SecureClient first(proxy.port("a"), options);
  CHECK(first.get("/").body == "hello");
  REQUIRE_FALSE(first.tls().tickets().empty());
  options.session = first.tls().tickets().front();
  SecureClient there(proxy.port("b"), options);
  CHECK_FALSE(there.tls().resumed());
  CHECK(there.get("/").body == "hello");
  SecureClient back(proxy.port("a"), options);
  CHECK(back.tls().resumed());
}

TEST_CASE("ALPN picks http/1.1, and refuses a client that offers nothing of ours", "[tls]") {
  Bed bed;
  SecureClient offered(bed.port(), {.name = "one.example", .alpn = {"spdy/3", "http/1.1"}});
  CHECK(offered.tls().alpn() == "http/1.1");
  CHECK(offered.get("/").body == "hello");
  SecureClient silent(bed.port(), {.name = "one.example"});
  CHECK(silent.tls().alpn().empty());
  CHECK(silent.get("/").body == "hello");
  CHECK_THROWS_WITH(SecureClient(bed.port(), {.name = "one.example", .alpn = {"smtp"}}),
                    ContainsSubstring("no application protocol"));
}

TEST_CASE("what is no TLS on a TLS port is let go, and the listener lives", "[tls]") {
  Bed bed;
  std::string bytes;
  SECTION("nothing known") { bytes.assign(20, '\0'); }
  SECTION("a record of an impossible length") {
    bytes = "\x16\x03\x01\xff\xff";
    bytes.resize(70'000, 'x');
  }
  Client plain(bed.port());
  plain.send(bytes);
  const Stopwatch watch;
  const std::string answer = plain.read_all();
  CHECK(watch.seconds() < 3);
  CHECK(answer.find("HTTP/1") == std::string::npos);
  CHECK(bed.up.connections() == 0);
  SecureClient client(bed.port(), {.name = "one.example"});
  CHECK(client.get("/").body == "hello");
}

TEST_CASE("a connection that the proxy closes ends with close_notify", "[tls]") {
  Bed bed;
  SecureClient client(bed.port(), {.name = "one.example"});
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(client.read_response().body == "hello");
  CHECK(client.ends());
}

TEST_CASE("requests over TLS come in pieces and large bodies go through whole", "[tls]") {
  std::string body(700'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  Bed bed;
  FakeUpstream up([](FakeConnection& c) {
    for (;;) c.respond(200, c.read_request().body);
  });
  REQUIRE(
      bed.proxy().reload(Setup{.servers = {up.address()}, .listener = Bed::certificates(), .protocol = "https"}).ok);
  SecureClient client(bed.port(), {.name = "one.example"});
  client.drip("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n", 7, Ms(0));
  client.send(body);
  CHECK(client.read_response().body == body);
}
