// What the proxy says of the client to the server, and what it keeps, adds and strips.
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

// The request as the server got it.
Message seen(TestProxy& proxy, const std::string& fields, const std::string& host = "test.example") {
  Client client(proxy.port());
  std::string raw = client.get("/", fields, host).body;
  return read_message(Side::kRequest, raw, [] { return std::string(); });
}

}  // namespace

TEST_CASE("X-Forwarded-For is appended to, removed, preserved or processed", "[headers]") {
  FakeUpstream up;
  const std::string mode =
      GENERATE(std::string("append"), std::string("remove"), std::string("preserve"), std::string("process"));
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = "trusted_proxies: [127.0.0.1, 10.0.0.0/8]\nx_forwarded: {for: " + mode + "}"});
  const std::string given = "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 10.1.1.1\r\n";
  const std::string got = seen(proxy, given).get("x-forwarded-for");
  if (mode == "append" || mode == "process") CHECK(got == "6.6.6.6, 7.7.7.7, 10.1.1.1, 127.0.0.1");
  if (mode == "remove") CHECK(got == "");
  if (mode == "preserve") CHECK(got == "6.6.6.6, 7.7.7.7, 10.1.1.1");
  CHECK(proxy.log(1)[0]["client_ip"] == (mode == "process" ? "7.7.7.7" : "127.0.0.1"));
}

TEST_CASE("without X-Forwarded-For there is ours alone", "[headers]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  const Message m = seen(proxy, "");
  CHECK(m.get("x-forwarded-for") == "127.0.0.1");
  CHECK(m.get("x-forwarded-proto") == "http");
  CHECK_FALSE(m.has("x-forwarded-port"));
  CHECK_FALSE(m.has("x-forwarded-host"));
}

TEST_CASE("the others are added where the listener says so", "[headers]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = "x_forwarded: {proto: false, port: true, host: true}"});
  const Message m = seen(proxy, "", "app.example:123");
  CHECK_FALSE(m.has("x-forwarded-proto"));
  CHECK(m.get("x-forwarded-port") == std::to_string(proxy.port()));
  CHECK(m.get("x-forwarded-host") == "app.example:123");
}

TEST_CASE("what a trusted peer says of the client is believed, what others say is stripped", "[headers]") {
  FakeUpstream up;
  const bool trusted = GENERATE(true, false);
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = std::string("x_forwarded: {port: true, host: true}\ntrusted_proxies: ") +
                                    (trusted ? "[127.0.0.0/8]" : "[10.0.0.0/8]")});
  const Message m = seen(proxy,
                         "X-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\nX-Forwarded-Port: 443\r\n"
                         "Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n");
  CHECK(m.get("x-forwarded-proto") == (trusted ? "https" : "http"));
  CHECK(m.get("x-forwarded-host") == (trusted ? "public.example" : "test.example"));
  CHECK(m.get("x-forwarded-port") == (trusted ? "443" : std::to_string(proxy.port())));
  CHECK(m.has("forwarded") == trusted);
  CHECK(m.count("x-forwarded-proto") == 1);
}

TEST_CASE("an untrusted peer cannot choose the client's address by process", "[headers]") {
  FakeUpstream up;
  TestProxy proxy(
      Setup{.servers = {up.address()}, .listener = "trusted_proxies: [10.0.0.0/8]\nx_forwarded: {for: process}"});
  seen(proxy, "X-Forwarded-For: 6.6.6.6\r\n");
  CHECK(proxy.log(1)[0]["client_ip"] == "127.0.0.1");
}

TEST_CASE("X-Request-Id is kept if it is sound, else made", "[headers]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  CHECK(seen(proxy, "X-Request-Id: abc-123_X.~\r\n").get("x-request-id") == "abc-123_X.~");
  const std::string longest(128, 'a');
  CHECK(seen(proxy, "X-Request-Id: " + longest + "\r\n").get("x-request-id") == longest);
  std::vector<std::string> made;
  for (const std::string& bad : {std::string(), std::string("X-Request-Id:\r\n"), std::string("X-Request-Id: a b\r\n"),
                                 std::string("X-Request-Id: a\"b\r\n"), "X-Request-Id: " + longest + "a\r\n"}) {
    const Message m = seen(proxy, bad);
    CHECK(m.count("x-request-id") == 1);
    CHECK(m.get("x-request-id").size() == 32);
    made.push_back(m.get("x-request-id"));
  }
  CHECK(made[0] != made[1]);
  const auto lines = proxy.log(7);
  CHECK(lines[0]["request_id"] == "abc-123_X.~");
  CHECK(lines[2]["request_id"] == made[0]);
}

TEST_CASE("two X-Request-Id lines become one", "[headers]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  const Message m = seen(proxy, "X-Request-Id: one\r\nX-Request-Id: two\r\n");
  CHECK(m.count("x-request-id") == 1);
}

TEST_CASE("traceparent is passed on or made", "[headers]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const Message kept = seen(proxy, "traceparent: " + good + "\r\ntracestate: a=b\r\n");
  CHECK(kept.get("traceparent") == good);
  CHECK(kept.get("tracestate") == "a=b");
  for (const std::string& bad :
       {std::string(), std::string("traceparent: x\r\n"),
        std::string("traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n")}) {
    const Message m = seen(proxy, bad + "tracestate: a=b\r\n");
    CHECK(m.count("traceparent") == 1);
    CHECK(m.get("traceparent").size() == 55);
    CHECK(m.get("traceparent").starts_with("00-"));
    CHECK_FALSE(m.has("tracestate"));
  }
  CHECK(proxy.log(4)[0]["trace_id"] == "0af7651916cd43dd8448eb211c80319c");
}

TEST_CASE("hop-by-hop fields of a response stay behind", "[headers]") {
  FakeUpstream up(
      FakeUpstream::say("ok",
                        "Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=50\r\nProxy-Connection: x\r\n"
                        "Upgrade: h2c\r\nX-End: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX_Under: 3\r\n"));
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  const Message m = client.get("/");
  for (const char* hop : {"x-hop", "keep-alive", "proxy-connection", "upgrade", "connection"}) CHECK_FALSE(m.has(hop));
  CHECK(m.get("x-end") == "2");
  CHECK(m.count("set-cookie") == 2);
  CHECK(client.get("/").status() == 200);
}

TEST_CASE("the Host field is kept as sent", "[headers]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  CHECK(seen(proxy, "", "App.Example:8443").get("host") == "App.Example:8443");
}

TEST_CASE("fields keep their order, case and number", "[headers]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  const Message m = seen(proxy, "b-Two: 1\r\nA-one: x\r\nB-tWO: 2\r\nAuthorization: Basic abc\r\nCookie: a=b; c=d\r\n");
  FieldList mine;
  for (const auto& f : m.fields) {
    if (lower_case(f.first) == "b-two" || lower_case(f.first) == "a-one") mine.push_back(f);
  }
  CHECK(mine == FieldList{{"b-Two", "1"}, {"A-one", "x"}, {"B-tWO", "2"}});
  CHECK(m.get("authorization") == "Basic abc");
  CHECK(m.get("cookie") == "a=b; c=d");
}
