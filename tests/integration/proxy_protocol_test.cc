// The PROXY header, versions 1 and 2, on plain and TLS listeners.
#include "tests/integration/secure.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kFrom = "proxy_protocol: {from: [127.0.0.1/32]}\ntimeouts: {handshake: 500ms}\n";
const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(char command, char family, const std::string& addresses) {
  const auto size = addresses.size();
  return kSignature + command + family + static_cast<char>(size >> 8) + static_cast<char>(size & 255) + addresses;
}
const std::string kV4("\x0a\x01\x02\x03\x0a\0\0\x01\x11\x5c\0\x50", 12);  // 10.1.2.3:4444 -> 10.0.0.1:80
const std::string kV6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x07" + std::string(16, '\0') +
                        std::string("\x11\x5c\0\x50", 4);

}  // namespace

TEST_CASE("the client's address comes from the PROXY header", "[proxy_protocol]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = kFrom});
  struct Case {
    std::string header, ip;
    int port;
  };
  const std::vector<Case> cases = {{"PROXY TCP4 10.1.2.3 10.0.0.1 4444 80\r\n", "10.1.2.3", 4444},
                                   {"PROXY TCP6 2001:db8::7 ::1 4444 80\r\n", "2001:db8::7", 4444},
                                   {"PROXY UNKNOWN\r\n", "127.0.0.1", 0},
                                   {"PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", "127.0.0.1", 0},
                                   {v2('\x21', '\x11', kV4), "10.1.2.3", 4444},
                                   {v2('\x21', '\x21', kV6), "2001:db8::7", 4444},
                                   {v2('\x20', '\0', ""), "127.0.0.1", 0},
                                   {v2('\x21', '\x11', kV4 + std::string("\x04\0\x02xy", 5)), "10.1.2.3", 4444}};
  std::size_t n = 0;
  for (const Case& c : cases) {
    for (const std::size_t piece : {std::size_t{1000}, std::size_t{1}}) {
      INFO(c.header);
      Client client(proxy.port());
      client.drip(c.header + kGet, piece, Ms(0));
      const Message m = client.read_response();
      CHECK(m.status() == 200);
      CHECK(lower_case(m.body).find("x-forwarded-for: " + c.ip + "\r\n") != std::string::npos);
      CHECK(client.get("/again").status() == 200);
      n += 2;
      const auto line = proxy.log(n)[n - 1];
      CHECK(line["client_ip"] == c.ip);
      if (c.port != 0) CHECK(line["client_port"] == c.port);
    }
  }
}

TEST_CASE("a connection without a proper PROXY header is closed", "[proxy_protocol]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = kFrom});
  for (const std::string& bad : {std::string(),
                                 kGet,
                                 std::string("PROXY"),
                                 std::string("PROXY \r\n"),
                                 std::string("proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n"),
                                 std::string("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n"),
                                 std::string("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n"),
                                 std::string("PROXY TCP4 1.1.1.999 2.2.2.2 1 2\r\n"),
                                 std::string("PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n"),
                                 std::string("PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n"),
                                 std::string("PROXY TCP4 ::1 ::1 1 2\r\n"),
                                 std::string("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n"),
                                 std::string("PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n"),
                                 std::string("PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n"),
                                 std::string("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n"),
                                 "PROXY TCP4 " + std::string(200, '1') + "\r\n",
                                 "PROXY UNKNOWN " + std::string(200, 'x') + "\r\n",
                                 v2('\x11', '\x11', kV4),
                                 v2('\x31', '\x11', kV4),
                                 v2('\x22', '\x11', kV4),
                                 v2('\x21', '\x11', kV4.substr(0, 11)),
                                 v2('\x21', '\x21', kV4),
                                 v2('\x21', '\x11', kV4 + std::string("\x04\0\x09xy", 5)),
                                 v2('\x21', '\x11', kV4 + std::string("\x04\0", 2)),
                                 kSignature + std::string("\x21\x11\xff\xff", 4) + std::string(70'000, 'x'),
                                 std::string("\r\n\r\n\0\r\nQUIX\n", 12) + std::string(40, 'x')}) {
    INFO(bad.substr(0, 60));
    Client client(proxy.port());
    client.send(bad + (bad == kGet ? "" : kGet));
    if (bad.empty()) client.half_close();
    CHECK(client.read_all().empty());
  }
  CHECK(up.connections() == 0);
}

TEST_CASE("a PROXY header in the way of a request is no more than a bad request from others", "[proxy_protocol]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "proxy_protocol: {from: [10.0.0.0/8]}"});
  Client client(proxy.port());
  client.send("PROXY TCP4 10.1.2.3 10.0.0.1 4444 80\r\n" + kGet);
  CHECK(client.read_response().status() == 400);
  Client plain(proxy.port());
  CHECK(plain.get("/").status() == 200);
}

TEST_CASE("a header that does not come is waited for no longer than the handshake time", "[proxy_protocol]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = kFrom});
  Client client(proxy.port());
  client.send("PROXY TCP4 10.1.");
  const Stopwatch watch;
  CHECK(client.read_all().empty());
  CHECK(watch.seconds() > 0.3);
  CHECK(watch.seconds() < 2);
}

TEST_CASE("the PROXY header comes before TLS", "[proxy_protocol]") {
  const Authority authority;
  auto folder = std::make_shared<TempDir>();
  const Identity identity = authority.issue("a.example", "DNS:a.example");
  folder->write("a.pem", identity.certificate);
  folder->write("a.key", identity.key);
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = kFrom + "certificates: [{cert: a.pem, key: a.key}]",
                        .protocol = "https"}
                      .yaml(),
                  {}, folder);
  for (const std::string& header : {std::string("PROXY TCP4 10.1.2.3 10.0.0.1 4444 80\r\n"), v2('\x21', '\x11', kV4)}) {
    Client client(std::make_unique<SecureChannel>(connect_to(loopback(proxy.port())), SecureOptions{.before = header}));
    const Message m = client.get("/");
    CHECK(lower_case(m.body).find("x-forwarded-for: 10.1.2.3\r\n") != std::string::npos);
    CHECK(lower_case(m.body).find("x-forwarded-proto: https\r\n") != std::string::npos);
  }
}

TEST_CASE("the address of the PROXY header is what rules and trust see", "[proxy_protocol]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = kFrom + "trusted_proxies: [10.0.0.0/8]\nx_forwarded: {for: process}\n"
                                            "rules:\n  - {name: inner, priority: 1, conditions: [{source_ip: "
                                            "[6.6.6.6]}], actions: [{fixed_response: {body: inner}}]}"});
  Client client(proxy.port());
  client.send("PROXY TCP4 10.1.2.3 10.0.0.1 4444 80\r\nGET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
  CHECK(client.read_response().body == "inner");
  Client other(proxy.port());
  other.send("PROXY TCP4 11.1.2.3 10.0.0.1 4444 80\r\nGET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
  CHECK(other.read_response().body != "inner");
}
