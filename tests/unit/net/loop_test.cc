#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <string>
#include <thread>
#include <vector>

namespace albatross::net_test {
namespace {

struct Pair {
  Pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0); }
  ~Pair() {
    for (int fd : fds) {
      if (fd >= 0) ::close(fd);
    }
  }
  void close(int i) {
    ::close(fds[i]);
    fds[i] = -1;
  }
  int fds[2];
};

struct Job final : Ready {
  explicit Job(std::function<void()> f) : work(std::move(f)) {}
  void on_ready() override { work(); }
  std::function<void()> work;
};

struct Handler final : IoHandler {
  explicit Handler(std::function<void(std::uint32_t)> f) : work(std::move(f)) {}
  void on_io(std::uint32_t events) override { work(events); }
  std::function<void(std::uint32_t)> work;
};

struct Doomed final : Deferred {
  explicit Doomed(std::function<void()> f) : last_words(std::move(f)) {}
  ~Doomed() override { last_words(); }
  std::function<void()> last_words;
};

}  // namespace

TEST_CASE("work that becomes ready while the list runs waits for the next turn") {
  Clock clock;
  Loop loop(clock);
  std::string order;
  Job* again = nullptr;
  Job other([&] { order += 'b'; });
  Job self([&] {
    order += 'a';
    loop.make_ready(*again);
    loop.make_ready(other);
  });
  again = &self;
  loop.make_ready(self);
  loop.make_ready(self);  // once is once
  loop.turn(0);
  CHECK(order == "a");
  loop.turn(0);
  CHECK(order == "aab");  // both were put in line by the first
  loop.turn(0);
  CHECK(order == "aaba");
  loop.turn(0);
  CHECK(order == "aabaab");
}

TEST_CASE("everyone in line runs in a turn, in order, before anyone runs twice") {
  Clock clock;
  Loop loop(clock);
  std::string order;
  std::vector<std::unique_ptr<Job>> jobs;
  for (char c = 'a'; c <= 'e'; ++c) {
    jobs.push_back(std::make_unique<Job>([&order, &loop, &jobs, c] {
      order += c;
      loop.make_ready(*jobs[static_cast<std::size_t>(c - 'a')]);
    }));
    loop.make_ready(*jobs.back());
  }
  for (int i = 0; i < 3; ++i) loop.turn(kSecond);  // leftovers: no waiting
  CHECK(order == "abcdeabcdeabcde");
}

TEST_CASE("what is destroyed leaves the line") {
  Clock clock;
  Loop loop(clock);
  int ran = 0;
  auto victim = std::make_unique<Job>([&] { ++ran; });
  Job killer([&] { victim.reset(); });
  loop.make_ready(killer);
  loop.make_ready(*victim);
  loop.turn(0);
  CHECK(ran == 0);
  auto waiting = std::make_unique<Job>([&] { ++ran; });
  loop.make_ready(*waiting);
  waiting.reset();
  loop.turn(0);
  CHECK(ran == 0);
}

TEST_CASE("tasks posted by another thread wake the loop and run in order") {
  Clock clock;
  Loop loop(clock);
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 10'000; ++i) loop.post([&seen, i] { seen.push_back(i); });
    loop.stop();
  });
  loop.run();
  other.join();
  REQUIRE(seen.size() == 10'000);
  for (int i = 0; i < 10'000; ++i) REQUIRE(seen[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a task that posts runs its task in a later turn") {
  Clock clock;
  Loop loop(clock);
  std::string order;
  loop.post([&] {
    order += 'a';
    loop.post([&] { order += 'b'; });
  });
  loop.turn(kSecond);
  CHECK(order == "a");
  loop.turn(kSecond);
  CHECK(order == "ab");
}

TEST_CASE("tasks that are left at the end still run") {
  bool ran = false;
  {
    Clock clock;
    Loop loop(clock);
    loop.post([&] { ran = true; });
  }
  CHECK(ran);
}

TEST_CASE("a stale event of a removed descriptor is dropped, also when its slot is used again") {
  for (bool reuse : {false, true}) {
    Clock clock;
    Loop loop(clock);
    Pair a, b, c;
    std::uint32_t slot_a = 0, slot_b = 0;
    int at_a = 0, at_b = 0, at_c = 0;
    Handler on_c([&](std::uint32_t) { ++at_c; });
    // Whoever hears first removes the other, while the other's event is already in the batch.
    auto kill = [&](std::uint32_t slot, Pair& p) {
      loop.remove(slot, p.fds[0]);
      p.close(0);
      if (reuse) CHECK(loop.add(c.fds[0], EPOLLIN | EPOLLET, &on_c) == slot);
    };
    Handler on_a([&](std::uint32_t) {
      if (++at_a == 1 && at_b == 0) kill(slot_b, b);
    });
    Handler on_b([&](std::uint32_t) {
      if (++at_b == 1 && at_a == 0) kill(slot_a, a);
    });
    slot_a = loop.add(a.fds[0], EPOLLIN | EPOLLET, &on_a);
    slot_b = loop.add(b.fds[0], EPOLLIN | EPOLLET, &on_b);
    CHECK(write(a.fds[1], "x", 1) == 1);
    CHECK(write(b.fds[1], "x", 1) == 1);
    loop.turn(0);
    CHECK(at_a + at_b == 1);
    CHECK(at_c == 0);
    if (!reuse) continue;
    CHECK(write(c.fds[1], "x", 1) == 1);
    loop.turn(0);
    CHECK(at_c == 1);
  }
}

TEST_CASE("a detached descriptor lives on and is heard no more") {
  Clock clock;
  Loop loop(clock);
  Pair p;
  int heard = 0;
  Handler h([&](std::uint32_t) { ++heard; });
  std::uint32_t slot = loop.add(p.fds[0], EPOLLIN, &h);
  loop.remove(slot, p.fds[0], true);
  CHECK(write(p.fds[1], "x", 1) == 1);
  loop.turn(0);
  CHECK(heard == 0);
  slot = loop.add(p.fds[0], EPOLLIN, &h);
  loop.turn(0);
  loop.turn(0);
  CHECK(heard == 2);  // level-triggered
  loop.modify(slot, p.fds[0], 0);
  loop.turn(0);
  CHECK(heard == 2);
}

TEST_CASE("what is to be destroyed is destroyed at the end of the turn") {
  Clock clock;
  Loop loop(clock);
  std::string order;
  Job job([&] {
    loop.destroy_later(std::make_unique<Doomed>([&] { order += 'd'; }));
    order += 'r';
  });
  loop.make_ready(job);
  loop.post([&] { order += 'm'; });
  loop.turn(0);
  CHECK(order == "rmd");
}

TEST_CASE("a destructor may defer another destruction and make work ready") {
  Clock clock;
  Loop loop(clock);
  std::string order;
  Job job([&] { order += 'r'; });
  loop.destroy_later(std::make_unique<Doomed>([&] {
    order += 'd';
    loop.make_ready(job);
    loop.destroy_later(std::make_unique<Doomed>([&] { order += 'e'; }));
  }));
  loop.turn(0);
  CHECK(order == "d");
  loop.turn(0);
  CHECK(order == "dre");
}

TEST_CASE("a loop sleeps until its first deadline and not much longer") {
  struct Alarm final : Timer {
    void on_timer() override { fired = true; }
    bool fired = false;
  } alarm;
  Clock clock;
  Loop loop(clock);
  Nanos start = loop.now();
  loop.set_timer(alarm, start + 50 * kMilli);
  while (!alarm.fired) loop.turn(10 * kSecond);
  CHECK(loop.now() - start >= 50 * kMilli);
  CHECK(loop.turns() <= 5);
}

}  // namespace albatross::net_test
