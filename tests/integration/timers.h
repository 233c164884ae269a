// What tests of timers share: a server that never takes a connection, and steps of a clock that stands still.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "tests/support/client.h"
#include "tests/support/manual_clock.h"
#include "tests/support/test_proxy.h"

namespace albatross::test {

// A port of 127.0.0.1 whose accept queue is full: connecting to it does not end. Where the system does otherwise,
// works() is false.
class Unanswering {
 public:
  Unanswering() : listener_(refusing_port(port_)) {
    ::listen(listener_.get(), 0);
    for (int i = 0; i < 8 && !works_; ++i) works_ = !connects();
  }
  bool works() const { return works_; }
  std::string address() const { return loopback(port_); }

 private:
  bool connects() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    pollfd p{fd.get(), POLLOUT, 0};
    const bool done = ::poll(&p, 1, 100) > 0;
    waiting_.push_back(std::move(fd));
    return done;
  }
  std::uint16_t port_ = 0;
  Fd listener_;
  std::vector<Fd> waiting_;
  bool works_ = false;
};

// A clock with the proxy that goes by it. The listener "web" gets a rule that answers /now.
class Clockwork {
 public:
  explicit Clockwork(Setup setup) : proxy_(with_rule(std::move(setup)), ProxyOptions{&clock_, {}}) {}
  TestProxy& proxy() { return proxy_; }
  std::uint16_t port() { return proxy_.port(); }

  // An exchange has ended for this reason, says the log.
  bool logged(const std::string& termination) const {
    return eventually([&] {
      for (const auto& line : proxy_.log()) {
        if (line.value("termination", "") == termination) return true;
      }
      return false;
    });
  }
  // Everything that was sent before has been read by the (one) worker.
  void settle() {
    Client asker(proxy_.port());
    for (int i = 0; i < 3; ++i) asker.get("/now");
  }
  void pass(Nanos time) {
    settle();
    clock_.advance(time);
    settle();
  }

 private:
  static Setup with_rule(Setup s) {
    s.listener +=
        "\nrules:\n  - {name: now, priority: 1, conditions: [{path: /now}], actions: [{fixed_response: {code: "
        "204}}]}\n";
    return s;
  }
  ManualClock clock_;
  TestProxy proxy_;
};

}  // namespace albatross::test
