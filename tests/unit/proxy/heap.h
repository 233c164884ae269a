// Servers in this process, and a count of what the whole of it takes from the heap: malloc is replaced, so that
// libraries count as well. For one source file of a program.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>

#include "config/load.h"
#include "process/process.h"

namespace albatross::test {
inline std::atomic<std::uint64_t> allocations{0};
inline void count_allocation() { allocations.fetch_add(1, std::memory_order_relaxed); }
}  // namespace albatross::test

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // they have a malloc of their own
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));
namespace albatross::test {
inline const int hooked = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { count_allocation(); }, [](const volatile void*) {});
}  // namespace albatross::test
#else
extern "C" {
void* __libc_malloc(std::size_t) noexcept;
void* __libc_calloc(std::size_t, std::size_t) noexcept;
void* __libc_realloc(void*, std::size_t) noexcept;
void* __libc_memalign(std::size_t, std::size_t) noexcept;

void* malloc(std::size_t n) noexcept {
  albatross::test::count_allocation();
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) noexcept {
  albatross::test::count_allocation();
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) noexcept {
  albatross::test::count_allocation();
  return __libc_realloc(p, n);
}
void* aligned_alloc(std::size_t align, std::size_t n) noexcept {
  albatross::test::count_allocation();
  return __libc_memalign(align, n);
}
int posix_memalign(void** out, std::size_t align, std::size_t n) noexcept {
  albatross::test::count_allocation();
  *out = __libc_memalign(align, n);
  return *out == nullptr ? ENOMEM : 0;
}
}
#endif

namespace albatross::test {

// A server on ports of the kernel's choice, its control loop on a thread.
struct Running {
  explicit Running(const std::string& json) : source{"test.json", json, config::Format::kJson}, out("test.json", json) {
    auto c = std::make_shared<config::Config>(config::load(source, out));
    ProcessOptions o;
    o.log = [](Level, const std::string&) {};
    server = std::make_unique<Process>(c, o);
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
  std::unique_ptr<Process> server;
  std::thread thread;
};

inline int connect_to(std::uint16_t port) {
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

}  // namespace albatross::test
