#include "base/log_ring.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <string>
#include <thread>

#include "base/siphash.h"

namespace albatross::base_test {
namespace {

bool put(LogRing& ring, std::string_view text) {
  char* p = ring.reserve(text.size());
  if (p == nullptr) return false;
  std::memcpy(p, text.data(), text.size());
  ring.commit();
  return true;
}

// The n-th record of a stream: its size and bytes follow from n.
std::string record(std::uint64_t n) {
  return std::to_string(n) + ":" + std::string(n * 7919 % 97, static_cast<char>('a' + n % 26));
}

}  // namespace

TEST_CASE("records come out of a ring in order and whole") {
  LogRing ring(1024);
  CHECK(ring.front().empty());
  for (std::uint64_t n = 0; n < 10'000; ++n) {
    REQUIRE(put(ring, record(n)));
    REQUIRE(put(ring, "second"));
    REQUIRE(ring.front() == record(n));
    REQUIRE(ring.front() == record(n));
    ring.pop();
    REQUIRE(ring.front() == "second");
    ring.pop();
    REQUIRE(ring.front().empty());
  }
  CHECK(ring.dropped() == 0);
}

TEST_CASE("a record that does not fit is dropped and counted, and the others stay") {
  LogRing ring(256);
  std::uint64_t kept = 0;
  while (put(ring, record(kept))) ++kept;
  CHECK(kept > 2);
  CHECK(ring.dropped() == 1);
  CHECK_FALSE(put(ring, std::string(1000, 'x')));
  CHECK(ring.dropped() == 2);
  for (std::uint64_t n = 0; n < kept; ++n) {
    CHECK(ring.front() == record(n));
    ring.pop();
  }
  CHECK(ring.front().empty());
  CHECK(put(ring, "again"));
  CHECK(ring.front() == "again");
}

TEST_CASE("a reserved record that is not committed is not seen") {
  LogRing ring(1024);
  char* p = ring.reserve(5);
  REQUIRE(p != nullptr);
  CHECK(ring.front().empty());
  std::memcpy(p, "hello", 5);
  ring.commit();
  CHECK(ring.front() == "hello");
}

TEST_CASE("a ring says when it is more than half full") {
  LogRing ring(1024);
  CHECK_FALSE(ring.over_half());
  put(ring, std::string(400, 'x'));
  CHECK_FALSE(ring.over_half());
  put(ring, std::string(200, 'x'));
  CHECK(ring.over_half());
  ring.pop();
  CHECK_FALSE(ring.over_half());
}

TEST_CASE("a writer and a reader thread agree on every record") {
  LogRing ring(4096);
  constexpr std::uint64_t kRecords = 300'000;
  std::atomic<bool> done{false};
  std::uint64_t written = 0;
  std::thread writer([&] {
    for (std::uint64_t n = 0; n < kRecords; ++n) written += put(ring, record(n));
    done.store(true, std::memory_order_release);
  });
  std::uint64_t next = 0, read = 0, wrong = 0;
  for (;;) {
    bool last = done.load(std::memory_order_acquire);
    for (std::string_view text = ring.front(); !text.empty(); text = ring.front()) {
      std::uint64_t n = std::stoull(std::string(text.substr(0, text.find(':'))));
      wrong += n < next || text != record(n);
      next = n + 1;
      ++read;
      ring.pop();
    }
    if (last) break;
  }
  writer.join();
  CHECK(wrong == 0);
  CHECK(read == written);
  CHECK(read + ring.dropped() == kRecords);
}

}  // namespace albatross::base_test
