// A name server on UDP whose answers a test decides: A and AAAA records with a TTL, an empty answer, a failure, silence.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/socket.h"

namespace albatross::test {

struct NameAnswer {
  std::vector<std::string> addresses{};  // of either family
  int ttl = 1;
  int code = 0;         // 2: SERVFAIL, 3: NXDOMAIN
  bool silent = false;  // nothing is said at all
};

class NameServer {
 public:
  NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at);
    socklen_t size = sizeof at;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  std::string address() const { return loopback(port_); }
  void set(const std::string& name, const NameAnswer& answer) {
    std::lock_guard lock(lock_);
    answers_[name] = answer;
  }
  // Questions so far; A and AAAA count each.
  int questions() const { return questions_.load(); }

 private:
  void serve() {
    char packet[512];
    for (;;) {
      pollfd p[2] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      ::poll(p, 2, -1);
      if (p[1].revents != 0) return;
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t n = ::recvfrom(socket_.get(), packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 17) continue;
      ++questions_;
      const std::string reply = answer({packet, static_cast<std::size_t>(n)});
      if (!reply.empty()) ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
  std::string answer(const std::string& question) {
    std::string name;
    std::size_t at = 12;
    while (at < question.size() && question[at] != 0) {
      const auto label = static_cast<std::size_t>(question[at]);
      name += (name.empty() ? "" : ".") + question.substr(at + 1, label);
      at += label + 1;
    }
    const std::string asked = question.substr(12, at + 5 - 12);
    const bool v6 = question[at + 2] == 28;
    NameAnswer given{.code = 3};
    {
      std::lock_guard lock(lock_);
      if (const auto it = answers_.find(name); it != answers_.end()) given = it->second;
    }
    if (given.silent) return {};
    std::string records;
    char count = 0;
    for (const std::string& text : given.addresses) {
      const bool is_v6 = text.find(':') != std::string::npos;
      if (is_v6 != v6) continue;
      char bytes[16];
      ::inet_pton(is_v6 ? AF_INET6 : AF_INET, text.c_str(), bytes);
      const std::size_t size = is_v6 ? 16 : 4;
      records += std::string("\xc0\x0c\0", 3) + (v6 ? '\x1c' : '\x01') + std::string("\0\x01\0\0", 4);
      records += {static_cast<char>(given.ttl >> 8), static_cast<char>(given.ttl & 255), '\0', static_cast<char>(size)};
      records.append(bytes, size);
      ++count;
    }
    return question.substr(0, 2) + '\x81' + static_cast<char>(0x80 | given.code) + std::string("\0\x01\0", 3) + count +
           std::string(4, '\0') + asked + records;
  }

  std::uint16_t port_ = 0;
  Fd socket_;
  Fd stop_;
  std::mutex lock_;
  std::map<std::string, NameAnswer> answers_;
  std::atomic<int> questions_{0};
  std::thread thread_;
};

}  // namespace albatross::test
