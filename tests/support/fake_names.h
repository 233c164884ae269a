// A name server on UDP whose answers a test sets.
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

class FakeNames {
 public:
  struct Answer {
    std::vector<std::string> addresses{};  // IPv4; none: an empty answer
    std::uint32_t ttl = 1;
    int code = 0;         // 3: no such name, 2: failure
    bool silent = false;  // no answer is sent
  };

  FakeNames() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&a), sizeof a);
    socklen_t size = sizeof a;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&a), &size);
    port_ = ntohs(a.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~FakeNames() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
  }
  FakeNames(const FakeNames&) = delete;
  FakeNames& operator=(const FakeNames&) = delete;

  std::string address() const { return loopback(port_); }
  void set(const std::string& name, const Answer& answer) {
    std::lock_guard lock(lock_);
    answers_[name] = answer;
  }
  int queries() const { return queries_.load(); }

 private:
  static std::string u16(unsigned v) { return {static_cast<char>(v >> 8), static_cast<char>(v & 255)}; }

  void run() {
    for (;;) {
      pollfd p[2] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      ::poll(p, 2, -1);
      if (p[1].revents != 0) return;
      char query[512];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t n = ::recvfrom(socket_.get(), query, sizeof query, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 17) continue;
      ++queries_;
      const std::string reply = answer(std::string(query, static_cast<std::size_t>(n)));
      if (!reply.empty())
        ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  // RFC 1035 §4: the question back, and an A record for each address.
  std::string answer(const std::string& query) {
    std::string name;
    std::size_t at = 12;
    while (at < query.size() && query[at] != 0) {
      const auto length = static_cast<std::size_t>(static_cast<unsigned char>(query[at]));
      name += (name.empty() ? "" : ".") + query.substr(at + 1, length);
      at += length + 1;
    }
    const unsigned type = static_cast<unsigned char>(query.at(at + 2));
    const std::string question = query.substr(12, at + 5 - 12);
    Answer known;
    known.code = 3;
    {
      std::lock_guard lock(lock_);
      if (const auto it = answers_.find(name); it != answers_.end()) known = it->second;
    }
    if (known.silent) return {};
    std::string records;
    unsigned count = 0;
    for (const std::string& address : known.addresses) {
      if (type != 1) break;
      in_addr a{};
      ::inet_pton(AF_INET, address.c_str(), &a);
      records += u16(0xc00c) + u16(1) + u16(1) + u16(known.ttl >> 16) + u16(known.ttl & 0xffff) + u16(4) +
                 std::string(reinterpret_cast<const char*>(&a), 4);
      ++count;
    }
    return query.substr(0, 2) + u16(0x8180U | static_cast<unsigned>(known.code)) + u16(1) + u16(count) + u16(0) +
           u16(0) + question + records;
  }

  Fd socket_, stop_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  std::atomic<int> queries_{0};
  std::mutex lock_;
  std::map<std::string, Answer> answers_;
};

}  // namespace albatross::test
