// A kept-alive request through the whole proxy, with 30 fields, access log, metrics and three header actions on, does
// not touch the heap once everything is warm. The whole program's allocations are counted: workers, control and log
// threads.
#include <cstring>

#include "tests/unit/proxy/heap.h"

namespace albatross::test {
namespace {

constexpr const char* kBackend = R"({
  "listeners": [{"name": "b", "bind": "127.0.0.1:0", "protocol": "http",
    "default_actions": [{"fixed_response": {"code": 200, "body": "hello"}}]}],
  "server_groups": [], "admin": "off", "workers": 1})";

std::string front(std::uint16_t port) {
  return R"({"listeners": [{"name": "web", "bind": "127.0.0.1:0", "protocol": "http",
      "rules": [{"name": "r", "priority": 1,
        "conditions": [{"path": ["/x/*"]}, {"header": {"name": "x-1", "values": ["*"]}}],
        "actions": [{"insert_header": {"name": "x-a", "value": "${client_ip} ${listener}"}},
                    {"insert_header": {"name": "x-b", "value": "b"}}, {"remove_header": {"name": "x-2"}},
                    {"forward": "g"}]}],
      "default_actions": [{"forward": "g"}]}],
    "server_groups": [{"name": "g", "servers": [{"address": "127.0.0.1:)" +
         std::to_string(port) + R"("}]}], "admin": "off", "workers": 1, "access_log": {"path": "/dev/null"}})";
}

// One request and its whole answer, without allocating.
bool ask(int fd, const std::string& request) {
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return false;
  char buffer[4096];
  std::size_t have = 0;
  while (have < sizeof buffer) {
    ssize_t n = ::recv(fd, buffer + have, sizeof buffer - have, 0);
    if (n <= 0) return false;
    have += static_cast<std::size_t>(n);
    if (have > 5 && std::memcmp(buffer + have - 5, "hello", 5) == 0)
      return std::memcmp(buffer, "HTTP/1.1 200", 12) == 0;
  }
  return false;
}

}  // namespace

TEST_CASE("a warm request does not touch the heap", "[proxy][allocation]") {
  Running backend(kBackend);
  Running proxy(front(backend.server->port("b")));
  std::string request = "GET /x/y?q=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: test\r\nCookie: a=1; b=2\r\n";
  for (int i = 0; i < 27; ++i) request += "X-" + std::to_string(i) + ": some value of a usual length\r\n";
  request += "\r\n";
  int fd = connect_to(proxy.server->port("web"));
  for (int i = 0; i < 200; ++i) REQUIRE(ask(fd, request));
  constexpr int kRequests = 2000;
  std::uint64_t before = allocations.load();
  bool ok = true;
  for (int i = 0; i < kRequests; ++i) ok = ask(fd, request) && ok;
  std::uint64_t after = allocations.load();
  ::close(fd);
  REQUIRE(ok);
  // The log's thread may meet a longer batch than before; a request that allocated would show as thousands.
  CHECK(after - before < kRequests / 50);
}

}  // namespace albatross::test
