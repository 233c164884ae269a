// Plain sockets for tests, blocking with a deadline.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/deadline.h"

namespace albatross::test {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~Fd() { close(); }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void close();
  // The peer sees a reset.
  void reset();

 private:
  int fd_ = -1;
};

// Connects to "127.0.0.1:80", "[::1]:80" or "unix:/path". Throws on failure. `receive_buffer` > 0 shrinks the socket's,
// `from` binds a source address.
Fd connect_to(const std::string& address, int receive_buffer = 0, const std::string& from = {});
std::string loopback(std::uint16_t port);

// A listening socket on a port of the kernel's choice, or the path of "unix:/path".
Fd listen_on(const std::string& address, std::uint16_t& port);
// A port of 127.0.0.1 that refuses connections as long as the Fd lives (bound, not listening).
Fd refusing_port(std::uint16_t& port);

enum class Got { kBytes, kEnd, kReset, kTimeout, kStopped };
// Waits for bytes and appends them. `stop` is a descriptor that ends the wait when it is readable, or -1.
Got receive_some(int fd, std::string& into, const Deadline& deadline, int stop = -1, std::size_t most = 65536);
// Sends everything, waiting for room. kEnd when the peer takes no more.
Got send_all(int fd, std::string_view bytes, const Deadline& deadline, int stop = -1);
// Sends without waiting. Returns how many bytes the socket took.
std::size_t send_now(int fd, std::string_view bytes);

}  // namespace albatross::test
