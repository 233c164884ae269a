// What users met, on the way back to clients: own answers, cookies, certificates, bodies. Each test is named by its
// symptom.
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/integration/secure.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/manual_clock.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;
using Catch::Matchers::ContainsSubstring;

// ---- own answers and cookies ----

TEST_CASE("error pages replace the text of own answers", "[met]") {
  std::uint16_t dead = 0;
  const Fd placeholder = refusing_port(dead);
  const auto folder = std::make_shared<TempDir>();
  folder->write("sorry.html", "<h1>sorry</h1>\n");
  const std::string yaml =
      Setup{.servers = {loopback(dead)}, .listener = "error_pages: {502: sorry.html}", .log = false}.yaml();
  TestProxy proxy(yaml, {}, folder);
  Client client(proxy.port());
  Message m = client.get("/");
  CHECK(m.status() == 502);
  CHECK(m.get("content-type") == "text/html; charset=utf-8");
  CHECK(m.body == "<h1>sorry</h1>\n");
  CHECK_THAT(client.get("/", "Accept: application/json\r\n").body, ContainsSubstring("connect_refused"));
  folder->write("sorry.html", "<h1>really</h1>\n");
  REQUIRE(proxy.reload(yaml).ok);
  CHECK(client.get("/").body == "<h1>really</h1>\n");
  std::filesystem::remove(folder->file("sorry.html"));
  const auto failed = proxy.reload(yaml);
  CHECK_FALSE(failed.ok);
  CHECK_THAT(failed.message, ContainsSubstring("error_pages.502"));
  CHECK(client.get("/").body == "<h1>really</h1>\n");
}

TEST_CASE("SameSite of sticky cookies can be chosen, and none sets Secure", "[met]") {
  FakeUpstream up(FakeUpstream::say("ok"));
  const std::string how = GENERATE(std::string("lax"), std::string("strict"), std::string("none"));
  TestProxy proxy(Setup{.servers = {up.address()},
                        .group = "sticky: {samesite: " + how + "}",
                        .groups = "- {name: other, servers: [{address: \"" + up.address() + "\"}]}",
                        .actions = "- forward: {groups: [{name: app}, {name: other, weight: 0}], sticky: {max_age: "
                                   "10s, samesite: " +
                                   how + "}}"});
  Client client(proxy.port());
  const Message m = client.get("/");
  REQUIRE(m.count("set-cookie") == 2);
  for (const auto& [name, value] : m.fields) {
    if (lower_case(name) != "set-cookie") continue;
    const std::string last = how == "lax"      ? "; HttpOnly; SameSite=Lax"
                             : how == "strict" ? "; HttpOnly; SameSite=Strict"
                                               : "; HttpOnly; Secure; SameSite=None";
    CHECK(value.ends_with(last));
  }
}

// ---- short bodies that nobody wants ----

TEST_CASE("a fixed answer to a request with a small body keeps the connection", "[met]") {
  TestProxy proxy(Setup{.listener = "rules:\n  - {name: r, priority: 1, conditions: [{path: /old}], actions: "
                                    "[{redirect: {path: /new}}]}",
                        .actions = "- fixed_response: {body: hi}"});
  const std::string path = GENERATE(std::string("/"), std::string("/old"));
  const std::string fields =
      GENERATE(std::string("Content-Length: 3\r\n\r\n"), std::string("Transfer-Encoding: chunked\r\n\r\n"));
  const bool chunked = fields.starts_with("T");
  Client client(proxy.port());
  for (int i = 0; i < 3; ++i) {
    client.send("POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields);
    const Message m = client.read_response();
    CHECK(m.status() == (path == "/" ? 200 : 308));
    CHECK(m.get("connection") == "");
    client.send(chunked ? "3\r\nabc\r\n0\r\n\r\n" : "abc");
  }
  client.send("POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + (chunked ? "1\r\na\r\n0\r\n\r\n" : "abc") +
              "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_response();
  CHECK(client.read_response().body == "hi");
}

TEST_CASE("a body that nobody wants and that is long closes the connection after the answer", "[met]") {
  TestProxy proxy(Setup{.actions = "- fixed_response: {body: hi}"});
  Client client(proxy.port());
  SECTION("it says so") {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n");
    CHECK(client.read_response().get("connection") == "close");
  }
  SECTION("it does not") {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(client.read_response().body == "hi");
    client.send("20000\r\n" + std::string(0x20000, 'x') + "\r\n0\r\n\r\n");
  }
  SECTION("it never comes") {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    CHECK(client.read_response().body == "hi");
  }
  SECTION("it waits for a 100") {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.read_response().get("connection") == "close");
  }
  CHECK(client.ends());
}

// ---- certificates ----

TEST_CASE("of two certificates for one name each client gets the one that it can verify", "[met]") {
  const auto folder = std::make_shared<TempDir>();
  const Authority authority;
  authority.issue("ec", "DNS:one.example,DNS:only-ec.example").write(*folder, "ec");
  authority.issue("rsa", "DNS:one.example", 86'400, true).write(*folder, "rsa");
  TestProxy proxy(Setup{.listener = "certificates: [{cert: ec.pem, key: ec.key}, {cert: rsa.pem, key: rsa.key}]",
                        .actions = "- fixed_response: {body: hi}",
                        .protocol = "https"}
                      .yaml(),
                  {}, folder);
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto presented = [&](const std::string& name, const std::string& signatures) {
    SecureClient client(proxy.port(),
                        {.name = name, .min_version = version, .max_version = version, .signatures = signatures});
    CHECK(client.get("/").body == "hi");
    return client.tls().peer();
  };
  CHECK(presented("one.example", "ECDSA+SHA256") == "ec");
  CHECK(presented("one.example", "RSA+SHA256:RSA-PSS+SHA256") == "rsa");
  CHECK(presented("", "RSA+SHA256:RSA-PSS+SHA256") == "rsa");
  CHECK(presented("only-ec.example", "ECDSA+SHA256") == "ec");
}

TEST_CASE("a certificate that could never be served is an error", "[met]") {
  const auto folder = std::make_shared<TempDir>();
  const Authority authority;
  authority.issue("a", "DNS:one.example,DNS:two.example").write(*folder, "a");
  authority.issue("b", "DNS:two.example").write(*folder, "b");
  authority.issue("c", "DNS:two.example,DNS:three.example").write(*folder, "c");
  const auto yaml = [](const std::string& second) {
    return Setup{
        .listener = "certificates: [{cert: a.pem, key: a.key}, {cert: " + second + ".pem, key: " + second + ".key}]",
        .actions = "- fixed_response: {body: hi}",
        .protocol = "https"}
        .yaml();
  };
  CHECK_THROWS_WITH(TestProxy(yaml("b"), {}, folder), ContainsSubstring("it is never served: certificates[0] has"));
  TestProxy proxy(yaml("c"), {}, folder);
  const auto reloaded = proxy.reload(yaml("c"));
  CHECK(reloaded.ok);
  CHECK_THAT(reloaded.message, ContainsSubstring("it is not served for two.example, which certificates[0] covers"));
}

// ---- uploads ----

TEST_CASE("a client is not blamed for the server that takes nothing of its upload", "[met]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.stall();
  });
  ManualClock clock;
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = "timeouts: {request_body: 5s, request_body_rate: 1MiB, send: 1h, response: 5m}"},
                  {.clock = &clock, .name_servers = {}});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  const std::string piece(1 << 20, 'x');
  // until the sockets hold no more
  for (bool taken = true; taken;) {
    const ssize_t n = ::send(client.channel().descriptor(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    taken = n > 0 || eventually(
                         [&] {
                           pollfd p{client.channel().descriptor(), POLLOUT, 0};
                           return ::poll(&p, 1, 0) == 1;
                         },
                         Ms(300));
  }
  for (int i = 0; i < 10; ++i) {
    clock.advance(4 * albatross::kSecond);
    CHECK(client.stays_silent(Ms(20)));
  }
}

TEST_CASE("a client that sends its body too slowly gets 408", "[met]") {
  FakeUpstream up(FakeUpstream::say("ok"));
  ManualClock clock;
  const bool slow = GENERATE(true, false);
  TestProxy proxy(
      Setup{.servers = {up.address()},
            .listener = std::string("timeouts: {request_body: 20s, request_body_rate: ") + (slow ? "100B}" : "0B}")},
      {.clock = &clock, .name_servers = {}});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  CHECK(eventually([&] { return up.connections() == 1; }));
  for (int i = 0; i < 4; ++i) {
    client.send("x");
    CHECK(eventually([&] { return up.received().ends_with(std::string(static_cast<std::size_t>(i + 1), 'x')); }));
    clock.advance(16 * albatross::kSecond);
    if (slow && i == 1) break;
    CHECK(client.stays_silent(Ms(20)));
  }
  if (slow) CHECK(client.read_response().status() == 408);
}

TEST_CASE("a stalled upload to an HTTP/2 server ends after `send`, though the server answers PINGs", "[met]") {
  const auto frame = [](char type, char flags, std::string_view payload, char stream = 0) {
    std::string f{0, 0, static_cast<char>(payload.size()), type, flags, 0, 0, 0, stream};
    return f += payload;
  };
  // Takes the first window of a request, opens no other, and acknowledges what asks for it.
  FakeUpstream up([frame](FakeConnection& c) {
    c.read_exact(24);
    c.write(frame(4, 0, ""));
    while (true) {
      const std::string head = c.read_exact(9);
      const auto byte = [&head](std::size_t i) { return static_cast<unsigned char>(head[i]); };
      const std::string payload = c.read_exact(static_cast<std::size_t>(byte(0) << 16 | byte(1) << 8 | byte(2)));
      if ((byte(3) == 4 || byte(3) == 6) && (byte(4) & 1) == 0) {
        c.write(frame(head[3], 1, byte(3) == 6 ? payload : ""));
      }
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "timeouts: {send: 300ms}", .group = "protocol: h2c"});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(200'000, 'x'));
  CHECK(client.read_response().status() == 504);
  CHECK(proxy.log(1)[0]["termination"] == "response_timeout");
}

// ---- HTTP/2 header blocks ----

TEST_CASE("an HTTP/2 header block that decodes to far more than the limit ends the connection", "[met]") {
  TestProxy proxy(Setup{.listener = "http2: true", .actions = "- fixed_response: {body: hi}"});
  // One field of 3 KB goes into the table, and each further byte names it again.
  std::string block = "\x82\x86\x84\x41\x01\x61\x40\x01\x62";
  block += "\x7f" + std::string(1, static_cast<char>(0x80 | ((3000 - 127) & 127))) +
           std::string(1, static_cast<char>((3000 - 127) >> 7)) + std::string(3000, 'v');
  block += std::string(200, static_cast<char>(0x80 | 62));
  std::string headers{0, static_cast<char>(block.size() >> 8), static_cast<char>(block.size()), 1, 5, 0, 0, 0, 1};
  Client client(proxy.port());
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(3, '\0') + "\x04" + std::string(5, '\0') + headers +
              block);
  const std::string answer = client.read_all();
  CHECK_THAT(answer, ContainsSubstring(std::string("\0\0\0\x0b", 4)));  // GOAWAY: ENHANCE_YOUR_CALM
}

// ---- conditions and addresses ----

TEST_CASE("a host pattern that is not ASCII matches what clients send for it", "[met]") {
  TestProxy proxy(Setup{.listener = "rules:\n  - {name: r, priority: 1, conditions: [{host: ['*.Bücher.example']}], "
                                    "actions: [{fixed_response: {body: books}}]}",
                        .actions = "- fixed_response: {body: other}"});
  Client client(proxy.port());
  CHECK(client.get("/", {}, "www.xn--bcher-kva.example").body == "books");
  CHECK(client.get("/", {}, "www.bucher.example").body == "other");
}

// ---- a broken TLS connection ----

TEST_CASE("a server that resets TLS while the client reads nothing costs no CPU", "[met]") {
  const Identity identity = Authority().issue("app", "DNS:app.internal");
  FakeUpstream up([identity](FakeConnection& c) {
    SecureChannel tls(Fd(::dup(c.descriptor())), identity);
    std::string request;
    while (request.find("\r\n\r\n") == std::string::npos) tls.receive(request, Deadline());
    tls.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + std::string(4 << 20, 'x'), Deadline(Ms(300)));
    tls.reset();
    c.reset();
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .group = "protocol: https\ntls: {verify: false}"});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + std::string(100'000, 'x'));
  client.read_until("\r\n\r\n");
  CHECK(eventually([&] { return up.open() == 0; }));
  client.send(std::string(1 << 20, 'x'));  // which the proxy cannot write any more
  const auto cpu = [] {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return Ms(used.ru_utime.tv_sec * 1000 + used.ru_utime.tv_usec / 1000 + used.ru_stime.tv_sec * 1000 +
              used.ru_stime.tv_usec / 1000);
  };
  const Ms before = cpu();
  CHECK_FALSE(eventually([] { return false; }, Ms(400)));
  CHECK(cpu() - before < Ms(200));
}
