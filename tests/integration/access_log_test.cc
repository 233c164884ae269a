// The access log: one JSON line a request, a closed list of fields, nothing that a client can break out
// of.
#include <set>

#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {
const std::set<std::string> kFields = {"time",
                                       "status",
                                       "request_method",
                                       "request_uri",
                                       "host",
                                       "client_ip",
                                       "client_port",
                                       "scheme",
                                       "server_protocol",
                                       "request_time",
                                       "upstream_addr",
                                       "upstream_status",
                                       "upstream_header_time",
                                       "upstream_response_time",
                                       "upstream_connect_time",
                                       "body_bytes_sent",
                                       "request_length",
                                       "ssl_protocol",
                                       "ssl_cipher",
                                       "http_user_agent",
                                       "http_referer",
                                       "http_x_forwarded_for",
                                       "listener",
                                       "rule",
                                       "server_group",
                                       "attempts",
                                       "termination",
                                       "request_id",
                                       "trace_id",
                                       "grpc_status"};
}

TEST_CASE("a line has the fields of the request", "[log]") {
  FakeUpstream up(FakeUpstream::say("12345"));
  TestProxy proxy(Setup{
      .servers = {up.address()},
      .listener =
          "rules:\n  - {name: r1, priority: 1, conditions: [{path: [{prefix: /a}]}], actions: [{forward: app}]}\n"});
  Client client(proxy.port());
  client.send(
      "POST /a?b=c HTTP/1.1\r\nHost: h.example:1\r\nUser-Agent: ua/1\r\nReferer: http://r/\r\nX-Forwarded-For: "
      "9.9.9.9\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(client.read_response().status() == 200);
  const auto line = proxy.log(1)[0];
  for (const auto& [key, value] : line.items()) CHECK(kFields.contains(key));
  CHECK(line["status"] == 200);
  CHECK(line["request_method"] == "POST");
  CHECK(line["request_uri"] == "/a?b=c");
  CHECK(line["host"] == "h.example:1");
  CHECK(line["client_ip"] == "127.0.0.1");
  CHECK(line["client_port"].get<int>() > 0);
  CHECK(line["scheme"] == "http");
  CHECK(line["server_protocol"] == "HTTP/1.1");
  CHECK(line["upstream_addr"] == up.address());
  CHECK(line["upstream_status"] == 200);
  CHECK(line["body_bytes_sent"] == 5);
  CHECK(line["request_length"].get<int>() > 100);
  CHECK(line["http_user_agent"] == "ua/1");
  CHECK(line["http_referer"] == "http://r/");
  CHECK(line["listener"] == "web");
  CHECK(line["rule"] == "r1");
  CHECK(line["server_group"] == "app");
  CHECK(line["attempts"] == 1);
  CHECK(line["request_id"].get<std::string>().size() == 32);
  CHECK(line["trace_id"].get<std::string>().size() == 32);
  CHECK_FALSE(line.contains("termination"));
  CHECK_FALSE(line.contains("ssl_protocol"));
  CHECK_FALSE(line.contains("grpc_status"));
  CHECK(line["request_time"].get<double>() >= line["upstream_response_time"].get<double>());
  CHECK(line["time"].get<std::string>().size() == 27);
}

TEST_CASE("the log shows what the client sent, not what was made of it", "[log]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.get("/x/../%61?q", "X-Forwarded-For: 9.9.9.9\r\n");
  const auto line = proxy.log(1)[0];
  CHECK(line["request_uri"] == "/x/../%61?q");
  CHECK(line["http_x_forwarded_for"] == "9.9.9.9");
}

TEST_CASE("one line a request, in the order they ended", "[log]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 200; ++i) client.get("/" + std::to_string(i));
  const auto lines = proxy.log(200);
  REQUIRE(lines.size() == 200);
  for (std::size_t i = 0; i < 200; ++i) CHECK(lines[i]["request_uri"] == "/" + std::to_string(i));
}

TEST_CASE("no byte that a client may send breaks a line", "[log]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  std::string odd;
  for (int c = 0x20; c < 0x100; ++c) {
    if (c != 0x7f) odd += static_cast<char>(c);
  }
  const std::vector<std::string> agents = {odd,
                                           "\"},{\"status\":200,\"x\":\"",
                                           "\\",
                                           "\\u0000\\\"",
                                           "<script>alert(1)</script>",
                                           "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
                                           "\xc3",
                                           "\xed\xa0\x80",
                                           "\xf5\x80\x80\x80",
                                           "\xc0\x80",
                                           "\xe2\x80\xa8",
                                           "a\tb",
                                           std::string(20'000, 'x'),
                                           std::string(4095, 'x') + "\xc3\xa9"};
  Client client(proxy.port());
  for (const std::string& agent : agents) {
    CHECK(client.get("/'\"\\<>`{}|^", "User-Agent: " + agent + "\r\nReferer: " + agent.substr(0, 100) + "\r\n")
              .status() != 0);
    if (client.held().empty()) client = Client(proxy.port());
  }
  const auto lines = proxy.log(agents.size());  // each of them parses, or this throws
  CHECK(lines.size() == agents.size());
}

TEST_CASE("a string is cut at 4 KiB", "[log]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.get("/" + std::string(9000, 'p'), "User-Agent: " + std::string(9000, 'u') + "\r\n");
  const auto line = proxy.log(1)[0];
  CHECK(line["request_uri"].get<std::string>().size() == 4096);
  CHECK(line["http_user_agent"].get<std::string>().size() == 4096);
}

TEST_CASE("gRPC's status is logged, from the head and from the trailers", "[log]") {
  const bool trailers = GENERATE(true, false);
  FakeUpstream up([=](FakeConnection& c) {
    c.read_request();
    if (trailers) {
      c.write(
          "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: "
          "chunked\r\n\r\n1\r\nx\r\n0\r\ngrpc-status: 7\r\n\r\n");
    } else {
      c.write("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: 7\r\nContent-Length: 0\r\n\r\n");
    }
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.get("/", "Content-Type: application/grpc\r\n");
  CHECK(proxy.log(1)[0]["grpc_status"] == 7);
}

TEST_CASE("the log file can be moved away", "[log]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.get("/one");
  proxy.log(1);
  std::filesystem::rename(proxy.folder().file("access.log"), proxy.folder().file("access.log.1"));
  proxy.ask([](albatross::Process& s) {
    s.reopen_logs();
    return 0;
  });
  CHECK(eventually([&] { return std::filesystem::exists(proxy.folder().file("access.log")); }));
  // The writer takes the new file when it has written what there is, which may include the first of these.
  CHECK(eventually([&] {
    client.get("/two");
    return !proxy.log().empty();
  }));
  CHECK(proxy.log()[0]["request_uri"] == "/two");
}
