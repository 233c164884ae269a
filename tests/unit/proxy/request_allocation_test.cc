// A kept-alive request through the whole proxy, with 30 fields, access log, metrics and three header actions on, does not
// touch the heap once everything is warm. The whole program's allocations are counted: workers, control and log threads.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <thread>

#include "config/load.h"
#include "proxy/server.h"

namespace {
std::atomic<std::uint64_t> allocations{0};
}

void* operator new(std::size_t n) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(n);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace albatross {
namespace {

constexpr const char* kBackend = R"({
  "listeners": [{"name": "b", "bind": "127.0.0.1:0", "protocol": "http",
    "default_actions": [{"fixed_response": {"code": 200, "body": "hello"}}]}],
  "server_groups": [], "admin": "off", "workers": 1})";

std::string front(std::uint16_t port) {
  return R"({"listeners": [{"name": "web", "bind": "127.0.0.1:0", "protocol": "http",
      "rules": [{"name": "r", "priority": 1, "conditions": [{"path": ["/x/*"]}, {"header": {"name": "x-1", "values": ["*"]}}],
        "actions": [{"insert_header": {"name": "x-a", "value": "${client_ip} ${listener}"}},
                    {"insert_header": {"name": "x-b", "value": "b"}}, {"remove_header": {"name": "x-2"}}, {"forward": "g"}]}],
      "default_actions": [{"forward": "g"}]}],
    "server_groups": [{"name": "g", "servers": [{"address": "127.0.0.1:)" +
         std::to_string(port) + R"("}]}], "admin": "off", "workers": 1, "access_log": {"path": "/dev/null"}})";
}

struct Running {
  explicit Running(const std::string& json) : source{"test.json", json, config::Format::kJson}, out("test.json", json) {
    auto c = std::make_shared<config::Config>(config::load(source, out));
    ServerOptions o;
    o.log = [](const std::string&) {};
    server = std::make_unique<Server>(c, o);
    std::string error;
    REQUIRE(out.ok());
    REQUIRE(server->start(out, error));
    thread = std::thread([this] { server->run(); });
  }
  ~Running() {
    server->stop_from_anywhere();
    thread.join();
  }
  config::Source source;
  config::Diagnostics out;
  std::unique_ptr<Server> server;
  std::thread thread;
};

int connect_to(std::uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
  timeval limit{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
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
    if (have > 5 && std::memcmp(buffer + have - 5, "hello", 5) == 0) return std::memcmp(buffer, "HTTP/1.1 200", 12) == 0;
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
  // The control loops wake now and then; a request that allocated would show as thousands.
  CHECK(after - before < kRequests / 20);
}

}  // namespace albatross
