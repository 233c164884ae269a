// What belongs to one connection stays on it, and what a client may not say is not passed on: RFC 9110 §7.6.
#include "tests/conformance/corpus.h"

using namespace albatross::test;

TEST_CASE("hop-by-hop fields of a request", "[hop]") {
  RequestCorpus corpus;
  corpus.run({
      {"Connection: keep-alive",
       get("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"),
       {200},
       "host: a",
       "keep-alive"},
      {"a nominated field", get("Connection: X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n"), {200}, "x-end: 2", "x-hop"},
      {"nominated in another case", get("Connection: x-HOP\r\nX-Hop: 1\r\n"), {200}, "host: a", "x-hop"},
      {"nominated before and behind", get("X-Hop: 1\r\nConnection: X-Hop\r\nX-Hop: 2\r\n"), {200}, "host: a", "x-hop"},
      {"nominated among many", get("Connection: a, ,\tX-Hop\t,b\r\nX-Hop: 1\r\n"), {200}, "host: a", "x-hop"},
      {"two Connection lines",
       get("Connection: X-A\r\nConnection: X-B\r\nX-A: 1\r\nX-B: 2\r\n"),
       {200},
       "host: a",
       "x-a: 1"},
      {"ours are added after the nominated are gone",
       get("Connection: X-Forwarded-For, X-Forwarded-Proto, X-Request-Id\r\n"),
       {200},
       "x-forwarded-for: 127.0.0.1"},
      {"the same, for the protocol", get("Connection: X-Forwarded-Proto\r\n"), {200}, "x-forwarded-proto: http"},
      {"Proxy-Connection", get("Proxy-Connection: keep-alive\r\n"), {200}, "host: a", "proxy-connection"},
      {"TE: trailers", get("TE: trailers\r\n"), {200}, "te: trailers"},
      {"TE with more", get("TE: gzip, trailers;q=0.5\r\n"), {200}, "host: a", "gzip"},
      {"TE: gzip", get("TE: gzip\r\n"), {200}, "host: a", "te: gzip"},
      {"Upgrade without Connection", get("Upgrade: websocket\r\n"), {200}, "host: a", "upgrade"},
      {"Upgrade to h2c",
       get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
       {200},
       "host: a",
       "h2c"},
      {"Upgrade to two things", get("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"), {200}, "host: a", "upgrade"},
      {"Upgrade twice",
       get("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"),
       {200},
       "host: a",
       "upgrade"},
      {"Upgrade in HTTP/1.0",
       "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
       {200},
       "host: a",
       "upgrade"},
      {"Upgrade with POST",
       post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", ""),
       {200},
       "host: a",
       "upgrade"},
      {"Upgrade with a body",
       get("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n") + "abcde",
       {200},
       "abcde",
       "upgrade"},
      {"Upgrade with chunks",
       get("Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
       {200},
       "host: a",
       "upgrade"},
      {"Upgrade to TLS", get("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"), {200}, "host: a", "upgrade"},
  });
}

TEST_CASE("what only a trusted proxy may say is stripped", "[hop]") {
  RequestCorpus corpus;
  corpus.run({
      {"X-Forwarded-Proto", get("X-Forwarded-Proto: gopher\r\n"), {200}, "x-forwarded-proto: http\r\n", "gopher"},
      {"X-Forwarded-Host", get("X-Forwarded-Host: evil\r\n"), {200}, "host: a", "evil"},
      {"X-Forwarded-Port", get("X-Forwarded-Port: 666\r\n"), {200}, "host: a", "-port:"},
      {"Forwarded", get("Forwarded: for=6.6.6.6;proto=https\r\n"), {200}, "host: a", "6.6.6.6"},
      {"X-Real-IP", get("X-Real-IP: 6.6.6.6\r\n"), {200}, "host: a", "6.6.6.6"},
      {"Proxy", get("Proxy: http://evil\r\n"), {200}, "host: a", "evil"},
      {"client certificates", get("X-Forwarded-Clientcert-SubjectDN: CN=root\r\n"), {200}, "host: a", "cn=root"},
      {"their issuer", get("X-Forwarded-Clientcert-IssuerDN: CN=root\r\n"), {200}, "host: a", "cn=root"},
      {"their fingerprint", get("X-Forwarded-Clientcert-Fingerprint: 00\r\n"), {200}, "host: a", "fingerprint"},
      {"their verdict", get("X-Forwarded-Clientcert-ClientVerify: SUCCESS\r\n"), {200}, "host: a", "success"},
      {"with an underscore", get("X_Forwarded_For: 6.6.6.6\r\n"), {200}, "host: a", "6.6.6.6"},
      {"X-Forwarded-For is appended to",
       get("X-Forwarded-For: 6.6.6.6\r\n"),
       {200},
       "x-forwarded-for: 6.6.6.6, 127.0.0.1\r\n"},
      {"lines of X-Forwarded-For are joined",
       get("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n"),
       {200},
       "x-forwarded-for: 6.6.6.6, 7.7.7.7, 127.0.0.1\r\n"},
  });
}

TEST_CASE("any number of X-Forwarded-For entries is walked safely", "[hop]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]\nx_forwarded: {for: process}\n"});
  for (const int entries : {1, 2, 10, 50, 200}) {
    Client client(proxy.port());
    std::string list = "6.6.6.6";
    for (int i = 1; i < entries; ++i) list += ", 10.0.0.1";
    CHECK(client.get("/", "X-Forwarded-For: " + list + "\r\n").status() == 200);
  }
  for (const char* odd :
       {"", ",", ",,,", "x", "6.6.6.6,", "unknown", "[::1]:80", "1.2.3.4:-1", "999.1.1.1", "::ffff:1.2.3.4", "%00"}) {
    Client client(proxy.port());
    CHECK(client.get("/", "X-Forwarded-For: " + std::string(odd) + "\r\n").status() == 200);
  }
  const auto lines = proxy.log(16);
  for (std::size_t i = 0; i < 5; ++i) CHECK(lines[i]["client_ip"] == "6.6.6.6");
}

TEST_CASE("a 463 ends a loop", "[hop]") {
  std::uint16_t port = 0;
  const Fd placeholder = refusing_port(port);
  (void)placeholder;
  TempDir folder;
  const std::string path = "unix:" + folder.file("loop.sock");
  TestProxy proxy(Setup{.servers = {path}, .bind = path});
  Client client(path);
  client.send(get(""));
  const Message answer = client.read_response();
  CHECK(answer.status() == 463);
  CHECK(proxy.log(17).size() == 17);
}
