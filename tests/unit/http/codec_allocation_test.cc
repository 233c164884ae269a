// Reading and writing heads of 30 fields does not touch the heap once arena and scratch are warm. Counts by replacing
// operator new for the whole binary.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <new>
#include <string>

#include "http/forwarded.h"
#include "http/h1/codec.h"
#include "http/uri.h"
#include "tests/unit/http/codec_recorder.h"

namespace {
std::size_t allocations = 0;
}  // namespace

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return operator new(size, std::nothrow); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace albatross::http_test {
namespace {

// One exchange's arena, and the head that came last.
struct Sink final : CodecSink {
  WireStream& on_begin(StreamId) override { return fresh_stream(); }
  Arena& arena_of(WireStream&) override { return arena; }
  void on_head(WireStream&, Head& h, bool) override { head = h; }
  void on_data(WireStream&, std::string_view data) override { body += data.size(); }
  void on_end(WireStream&, Fields*) override { ++ends; }
  Arena arena{16 * 1024};
  Head head;
  std::size_t body = 0;
  int ends = 0;
};

std::string with_fields(std::string start, std::string rest) {
  for (int i = 0; i < 28; ++i)
    start += "X-Field-" + std::to_string(i) + ": some value of ordinary length " + std::to_string(i) + "\r\n";
  return start + rest;
}

struct Proxy {
  BlockPool pool;
  OutputScratch scratch;
  Output to_server{pool, scratch}, to_client{pool, scratch};
  HeadLimits limits;
  H1Codec down{Role::kServer, limits}, up{Role::kClient, limits};
  ForwardedPolicy policy{ForwardedFor::kAppend, true, false, false, {}};
  Sink request, response;

  WireStream upstream{pool};

  void exchange(std::string_view request_bytes, std::string_view response_bytes) {
    request.arena.reset();
    response.arena.reset();
    bool ok = down.feed(request_bytes, request).consumed == request_bytes.size();
    std::string_view path;
    ok = ok && normalise_path(request.head.path, EncodedSlash::kReject, request.arena, path).cause == Cause::kNone;
    request.head.path = path;
    IpAddress peer{{192, 0, 2, 1}, true, true};
    apply_forwarded(policy, {peer, "192.0.2.1", "http", "80", request.head.authority, false}, request.head.fields);
    up.open(fresh_stream(upstream), request.head.method, false);
    up.send_head(upstream, request.head, false, to_server);
    up.send_data(upstream, "hello", to_server);
    up.send_end(upstream, nullptr, to_server);
    ok = ok && up.feed(response_bytes, response).consumed == response_bytes.size();
    down.send_head(one_stream(), response.head, false, to_client);
    down.send_data(one_stream(), "world", to_client);
    down.send_end(one_stream(), nullptr, to_client);
    written = to_server.size() + to_client.size();
    to_server.clear();
    to_client.clear();
    scratch.clear();
    down.next_message();
    up.next_message();
    good += ok;
  }
  std::size_t written = 0;
  int good = 0;
};

}  // namespace

TEST_CASE("reading and writing heads of 30 fields allocates nothing once it is warm") {
  const std::string request = with_fields("POST /a/../b%41?q=1 HTTP/1.1\r\nHost: shop.example\r\n",
                                          "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  const std::string response = with_fields("HTTP/1.1 200 OK\r\nServer: x\r\n", "Content-Length: 5\r\n\r\nworld");
  Proxy proxy;
  proxy.exchange(request, response);
  const std::size_t before = allocations;
  for (int i = 0; i < 1000; ++i) proxy.exchange(request, response);
  const std::size_t made = allocations - before;
  CHECK(made == 0);
  CHECK(proxy.good == 1001);
  CHECK(proxy.request.ends == 1001);
  CHECK(proxy.written > 2000);
}

}  // namespace albatross::http_test
