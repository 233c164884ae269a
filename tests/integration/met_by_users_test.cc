// What users met, on the way to servers: each test is named by its symptom. Answers and uploads are in
// met_by_users_answers_test.cc.
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/integration/secure.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/manual_clock.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;
using Catch::Matchers::ContainsSubstring;

namespace {

// The request as the server got it, by a server that answers with its raw bytes.
Message seen(Client& client, const std::string& fields) {
  std::string raw = client.get("/", fields).body;
  return read_message(Side::kRequest, raw, [] { return std::string(); });
}

}  // namespace

// ---- fields with an underscore ----

TEST_CASE("fields with an underscore reach the server, unless they could pass for another", "[met]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = "rules:\n  - {name: r, priority: 1, conditions: [{header: {name: x-tenant, values: "
                                    "[a]}}], actions: [{forward: app}]}"});
  Client client(proxy.port());
  const Message m = seen(client, "my_metadata: 1\r\nX_Tenant: a\r\nX_Real_IP: 6.6.6.6\r\n");
  CHECK(m.get("my_metadata") == "1");
  CHECK_FALSE(m.has("x_tenant"));
  CHECK_FALSE(m.has("x_real_ip"));
  CHECK(proxy.log(1)[0]["rule"].is_null());
  const auto dropped = proxy.ask([](albatross::Process& p) {
    std::uint64_t n = 0;
    p.view().stats.visit([&n](const auto& listeners, const auto&, const auto&, const auto&) {
      n = listeners.sum("web", [](const albatross::ListenerStats& s) { return s.underscored.get(); });
    });
    return n;
  });
  CHECK(dropped == 2);
}

TEST_CASE("underscores: pass and drop", "[met]") {
  FakeUpstream up;
  const bool pass = GENERATE(true, false);
  TestProxy proxy(
      Setup{.servers = {up.address()}, .listener = std::string("underscores: ") + (pass ? "pass" : "drop")});
  Client client(proxy.port());
  const Message m = seen(client, "my_metadata: 1\r\nX_Forwarded_For: 6.6.6.6\r\n");
  CHECK(m.has("my_metadata") == pass);
  CHECK(m.has("x_forwarded_for") == pass);
}

// ---- HTTP in clear on a TLS port ----

TEST_CASE("a request in clear to a TLS port is told so and logged", "[met]") {
  FakeUpstream up;
  const auto folder = std::make_shared<TempDir>();
  Authority().issue("one.example", "DNS:one.example").write(*folder, "one");
  TestProxy proxy(
      Setup{.servers = {up.address()}, .listener = "certificates: [{cert: one.pem, key: one.key}]", .protocol = "https"}
          .yaml(),
      {}, folder);
  const std::string request = GENERATE(std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                                       std::string("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
                                       std::string("OPTIONS * HTTP/1.0\r\n\r\n"));
  Client client(proxy.port());
  client.drip(request, 5, Ms(1));
  const Message m = client.read_response();
  CHECK(m.status() == 400);
  CHECK_THAT(m.body, ContainsSubstring("https://"));
  CHECK(client.ends());
  const auto line = proxy.log(1)[0];
  CHECK(line["status"] == 400);
  CHECK(line["termination"] == "clear_text");
  CHECK(line["scheme"] == "http");
  CHECK(up.requests() == 0);
}

TEST_CASE("a client that neither speaks TLS nor HTTP is closed and told of in the event log", "[met]") {
  const auto folder = std::make_shared<TempDir>();
  Authority().issue("one.example", "DNS:one.example").write(*folder, "one");
  TestProxy proxy(Setup{.listener = "certificates: [{cert: one.pem, key: one.key}]",
                        .actions = "- fixed_response: {body: hi}",
                        .protocol = "https"}
                      .yaml(),
                  {}, folder);
  Client client(proxy.port());
  client.send("\x01\x02\x03\x04\x05\x06\x07\x08");
  client.read_all();
  CHECK(eventually([&] { return proxy.said("listener web: client 127.0.0.1 port "); }));
  CHECK(eventually([&] { return proxy.said("wrong version number"); }));
}

// ---- why something failed ----

TEST_CASE("the log says why TLS to a server failed", "[met]") {
  const Authority authority, stranger("stranger");
  const auto folder = std::make_shared<TempDir>();
  folder->write("ca.pem", authority.certificate());
  Identity identity;
  std::string why;
  SECTION("self-signed") {
    identity = stranger.issue("app", "DNS:app.internal");
    why = "unable to get local issuer certificate";
  }
  SECTION("expired") {
    identity = authority.issue("app", "DNS:app.internal", -3600);
    why = "certificate has expired";
  }
  SECTION("another name") {
    identity = authority.issue("app", "DNS:other.internal");
    why = "hostname mismatch";
  }
  FakeUpstream up([identity](FakeConnection& c) {
    try {
      SecureChannel tls(Fd(::dup(c.descriptor())), identity);
      std::string bytes;
      tls.receive(bytes, Deadline());
    } catch (const Failure&) {  // the proxy refuses the certificate, which is what is tested
    }
  });
  TestProxy proxy(
      Setup{.servers = {up.address()}, .group = "protocol: https\ntls: {ca: ca.pem, server_name: app.internal}"}.yaml(),
      {}, folder);
  Client client(proxy.port());
  CHECK(client.get("/").status() == 502);
  const auto line = proxy.log(1)[0];
  CHECK(line["termination"] == "upstream_tls");
  CHECK(line["termination_detail"] == why);
  CHECK(proxy.said("server app/" + up.address() + ": the TLS handshake with the server failed: " + why));
}

TEST_CASE("a server that speaks another protocol is named as such", "[met]") {
  std::string greeting, why;
  SECTION("not HTTP") {
    greeting = "SSH-2.0-OpenSSH_9.2\r\n";
    why = "the server does not speak HTTP";
  }
  SECTION("HTTP/2") {
    greeting = std::string("\0\0\x0c\x04\0\0\0\0\0", 9);
    why = "the server speaks HTTP/2, so its group needs protocol h2c, h2, grpc or grpcs";
  }
  SECTION("TLS") {
    greeting = std::string("\x15\x03\x01\0\x02\x02\x46", 7);
    why = "the server speaks TLS, so its group needs protocol https";
  }
  FakeUpstream up([greeting](FakeConnection& c) {
    c.read_some();
    c.write(greeting);
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  CHECK(client.get("/").status() == 502);
  const auto line = proxy.log(1)[0];
  CHECK(line["termination"] == "upstream_malformed");
  CHECK(line["termination_detail"] == why);
}

TEST_CASE("a request that was tried again lists all servers and how they failed", "[met]") {
  FakeUpstream bad(FakeUpstream::Handler([](FakeConnection& c) {
    while (true) {
      c.read_request();
      c.respond(503);
    }
  }));
  std::uint16_t dead = 0;
  const Fd placeholder = refusing_port(dead);
  FakeUpstream good(FakeUpstream::say("ok"));
  auto server = [](const std::string& address, int weight) {
    return "{address: \"" + address + "\", weight: " + std::to_string(weight) + "}";
  };
  // The good one is so light that nearly every request meets both others first.
  TestProxy proxy(Setup{.groups = "- {name: app, retries: {tries: 3, codes: [503]}, servers: [" +
                                  server(bad.address(), 100) + ", " + server(loopback(dead), 100) + ", " +
                                  server(good.address(), 1) + "]}"});
  Client client(proxy.port());
  bool both = false;
  for (std::size_t i = 1; i <= 30 && !both; ++i) {
    CHECK(client.get("/").body == "ok");
    const auto line = proxy.log(i).back();
    if (line["attempts"] < 3) continue;
    const std::string failed = line["failed_tries"];
    CHECK(line["upstream_addr"] == good.address());
    CHECK_THAT(failed, ContainsSubstring(bad.address() + " 503"));
    CHECK_THAT(failed, ContainsSubstring(loopback(dead) + " connect_refused"));
    both = true;
  }
  CHECK(both);
}

TEST_CASE("a slow client does not make the server look slow", "[met]") {
  const std::string body(32 << 20, 'x');  // more than the sockets hold
  FakeUpstream up(FakeUpstream::say(body));
  ManualClock clock;
  TestProxy proxy(Setup{.servers = {up.address()}}, {.clock = &clock, .name_servers = {}});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_until("\r\n\r\n");
  clock.advance(20 * albatross::kSecond);
  CHECK(client.read_exact(body.size()) == body);
  const auto line = proxy.log(1)[0];
  CHECK(line["upstream_header_time"] == 0.0);
  CHECK(line["upstream_response_time"] == 20.0);
}

// ---- passive checks ----

TEST_CASE("a server that answers only 500 is ejected, and its answers are counted by class", "[met]") {
  FakeUpstream bad(FakeUpstream::Handler([](FakeConnection& c) {
    while (true) {
      c.read_request();
      c.respond(500);
    }
  }));
  FakeUpstream good(FakeUpstream::say("ok"));
  TestProxy proxy(Setup{.servers = {bad.address(), good.address()}, .group = "passive_check: {failures: 3}"});
  Client client(proxy.port());
  int failed = 0;
  for (int i = 0; i < 20; ++i) failed += client.get("/").status() == 500;
  CHECK(failed == 3);
  CHECK(eventually([&] { return proxy.said("is ejected: it failed 3 requests in a row"); }));
  const auto counted = proxy.ask([&](albatross::Process& p) {
    std::uint64_t n = 0;
    p.view().stats.visit([&](const auto&, const auto&, const auto& servers, const auto&) {
      n = servers.sum("app/" + bad.address(), [](const albatross::ServerStats& s) { return s.requests[5].get(); });
    });
    return n;
  });
  CHECK(counted == 3);
}

TEST_CASE("passive_check: codes says what fails", "[met]") {
  FakeUpstream bad(FakeUpstream::Handler([](FakeConnection& c) {
    while (true) {
      c.read_request();
      c.respond(500);
    }
  }));
  FakeUpstream good(FakeUpstream::say("ok"));
  TestProxy proxy(
      Setup{.servers = {bad.address(), good.address()}, .group = "passive_check: {failures: 3, codes: [503]}"});
  Client client(proxy.port());
  int failed = 0;
  for (int i = 0; i < 20; ++i) failed += client.get("/").status() == 500;
  CHECK(failed == 10);
}

// ---- pools ----

TEST_CASE("a steady load never reconnects with the default pool", "[met]") {
  constexpr int kClients = 64;
  FakeUpstream up(FakeUpstream::say("ok"));
  TestProxy proxy(Setup{.servers = {up.address()}});
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back(proxy.port());
  int most = 0;
  for (int round = 0; round < 6; ++round) {
    for (Client& c : clients) c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (Client& c : clients) CHECK(c.read_response().body == "ok");
    if (round == 2) most = up.connections();
  }
  CHECK(up.connections() <= most + kClients / 4);
  CHECK(up.connections() <= 2 * kClients);
}

// ---- repeated chunked ----

TEST_CASE("a server that says chunked twice is read where the group allows it", "[met]") {
  const std::string fields = GENERATE(std::string("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
                                      std::string("Transfer-Encoding: chunked, Chunked\r\n"));
  const bool allowed = GENERATE(true, false);
  FakeUpstream up([fields](FakeConnection& c) {
    while (true) {
      c.read_request();
      c.write("HTTP/1.1 200 OK\r\n" + fields + "\r\n3\r\nabc\r\n0\r\n\r\n");
    }
  });
  TestProxy proxy(Setup{.servers = {up.address()}, .group = allowed ? "accept_repeated_chunked: true" : ""});
  Client client(proxy.port());
  const Message m = client.get("/");
  CHECK(m.status() == (allowed ? 200 : 502));
  if (!allowed) return;
  CHECK(m.body == "abc");
  CHECK(m.count("transfer-encoding") == 1);
}
