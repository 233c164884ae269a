// The answers that are the proxy's own.
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {
struct Dead {
  std::uint16_t port = 0;
  Fd placeholder = refusing_port(port);
  Setup setup() const { return Setup{.servers = {loopback(port)}}; }
};

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
}  // namespace

TEST_CASE("an own answer names the cause and the request", "[answers]") {
  const Dead dead;
  TestProxy proxy(dead.setup());
  Client client(proxy.port());
  const Message m = client.get("/", "X-Request-Id: my-id\r\n");
  CHECK(m.status() == 502);
  CHECK(m.get("content-type").starts_with("text/plain"));
  CHECK(m.body.find("connect_refused") != std::string::npos);
  CHECK(m.body.find("my-id") != std::string::npos);
  CHECK(m.has("date"));
  CHECK(client.get("/").status() == 502);  // the connection is kept
}

TEST_CASE("an own answer is JSON for who prefers it", "[answers]") {
  const Dead dead;
  TestProxy proxy(dead.setup());
  Client client(proxy.port());
  for (const char* accept : {"application/json", "application/json, text/plain", "application/json;q=0.9"}) {
    const Message m = client.get("/", std::string("Accept: ") + accept + "\r\nX-Request-Id: my-id\r\n");
    CHECK(m.get("content-type").starts_with("application/json"));
    const auto json = nlohmann::json::parse(m.body);
    CHECK(json["status"] == 502);
    CHECK(json["cause"] == "connect_refused");
    CHECK(json["request_id"] == "my-id");
  }
  for (const char* accept : {"*/*", "text/html", "text/html, application/json"}) {
    CHECK(client.get("/", std::string("Accept: ") + accept + "\r\n").get("content-type").starts_with("text/plain"));
  }
}

TEST_CASE("the names of the proxy's own fields have the usual case", "[answers]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener =
                            "rules:\n  - {name: r, priority: 1, conditions: [{path: /old}], actions: [{redirect: "
                            "{path: /new}}]}\n  - {name: f, priority: 2, conditions: [{path: /fixed}], actions: "
                            "[{fixed_response: {body: hi}}]}\n"});
  Client client(proxy.port());
  std::string answers;
  for (const char* path : {"/old", "/fixed"}) {
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    answers += client.read_until("\r\n\r\n");
  }
  for (const char* name : {"\nLocation: ", "\nContent-Type: ", "\nContent-Length: ", "\nDate: "}) {
    INFO(name << " in " << answers);
    CHECK(answers.find(name) != std::string::npos);
  }
  for (std::size_t at = answers.find("\r\n"); at + 2 < answers.size(); at = answers.find("\r\n", at + 2)) {
    CHECK_FALSE(is_lower(answers[at + 2]));
  }
}

TEST_CASE("HEAD gets the head of an own answer", "[answers]") {
  const Dead dead;
  TestProxy proxy(dead.setup());
  Client client(proxy.port());
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.read_response(true).status() == 502);
  CHECK(client.get("/").status() == 502);
}

TEST_CASE("a gRPC client gets trailers-only with the mapped status", "[answers]") {
  const Dead dead;
  TestProxy proxy(dead.setup());
  Client client(proxy.port());
  for (const char* type : {"application/grpc", "application/grpc+proto"}) {
    const Message m = client.get("/", std::string("Content-Type: ") + type + "\r\n");
    CHECK(m.status() == 200);
    CHECK(m.get("content-type").starts_with("application/grpc"));
    CHECK(m.get("grpc-status") == "14");
    CHECK(m.has("grpc-message"));
    CHECK(m.body.empty());
  }
  CHECK(client.get("/", "Content-Type: application/grpc-web\r\n").status() == 502);
}

TEST_CASE("no server is a 503 with Retry-After", "[answers]") {
  TestProxy proxy(Setup{.groups = "- {name: none, servers: []}\n", .actions = "- forward: none"});
  Client client(proxy.port());
  const Message m = client.get("/");
  CHECK(m.status() == 503);
  CHECK(m.has("retry-after"));
  CHECK(proxy.log(1)[0]["termination"] == "no_server");
}
