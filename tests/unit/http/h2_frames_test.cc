// Following frames by their headers, and the budgets of a peer.
#include "http/h2/frames.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "base/siphash.h"
#include "http/h2/budget.h"

namespace albatross::http_test {
namespace {

constexpr int kData = 0, kHeaders = 1, kSettings = 4, kContinuation = 9;
constexpr int kNone = 0, kEndHeaders = 4;

// Frames, and what is true before and behind every byte of them.
struct Wire {
  struct State {
    bool in_block = false;
    std::uint32_t blocks = 0;
    bool operator==(const State&) const = default;
  };
  explicit Wire(std::string_view preface = {}) { put(preface); }

  void add(int type, int flags, std::size_t size) {
    for (int shift : {16, 8, 0}) put(static_cast<char>(size >> shift));
    put(static_cast<char>(type));
    put(static_cast<char>(flags));
    put({"\0\0\0", 3});
    State s = states.back();
    bool block = type == kHeaders || (type == kContinuation && s.in_block);
    put('\1', {block, s.blocks + (type == kHeaders)});
    // A payload that would read as HEADERS.
    put(std::string(size, '\1'));
    if ((flags & kEndHeaders) != 0) states.back().in_block = false;
  }
  void put(std::string_view text) {
    for (char c : text) put(c);
  }
  void put(char c) { put(c, states.back()); }
  void put(char c, State s) {
    bytes += c;
    states.push_back(s);
  }

  std::string bytes;
  std::vector<State> states{State{}};
};

// Feeds what stands before `end`, from `at`, and compares.
void follow(H2Frames& f, const Wire& w, std::size_t at, std::size_t end) {
  f.feed(std::string_view(w.bytes).substr(at, end - at));
  Wire::State s{f.in_block(), f.blocks()};
  if (s == w.states[end]) return;
  FAIL("bytes " << at << " to " << end << ": in a block " << s.in_block << ", blocks " << s.blocks);
}

Wire mixed(std::string_view preface = {}) {
  Wire w(preface);
  w.add(kSettings, kNone, 18);
  w.add(kHeaders, kEndHeaders, 5);
  w.add(kHeaders, kEndHeaders, 0);  // no payload at all
  w.add(kHeaders, kEndHeaders | 1, 1);
  w.add(kData, kEndHeaders, 30);  // where the flag means nothing
  w.add(kData, kNone, 0);
  w.add(kHeaders, kNone, 5);
  w.add(kContinuation, kNone, 3);
  w.add(kContinuation, kNone, 0);
  w.add(kContinuation, kEndHeaders, 4);
  w.add(kHeaders, kNone, 0);
  w.add(kContinuation, kEndHeaders, 0);
  w.add(kContinuation, kNone, 7);  // belongs to nothing
  w.add(kSettings, kNone, 0);
  w.add(kHeaders, kNone, 2);
  w.add(kData, kNone, 3);  // breaks the block off
  w.add(kContinuation, kNone, 3);
  w.add(kHeaders, kNone, 2);
  w.add(kHeaders, kEndHeaders, 2);
  w.add(kData, kNone, 300);
  return w;
}

}  // namespace

TEST_CASE("a header block is seen at every byte, with and without a preface") {
  for (std::string_view preface : {"", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    Wire w = mixed(preface);
    H2Frames f(static_cast<std::uint32_t>(preface.size()));
    for (std::size_t i = 0; i < w.bytes.size(); ++i) follow(f, w, i, i + 1);
    CHECK(f.blocks() == 8);
    CHECK_FALSE(f.in_block());
  }
}

TEST_CASE("cutting HTTP/2 frames anywhere changes nothing") {
  Wire w = mixed("PRI *");
  for (std::size_t cut = 0; cut <= w.bytes.size(); ++cut) {
    H2Frames f(5);
    follow(f, w, 0, cut);
    follow(f, w, cut, w.bytes.size());
  }
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    H2Frames f(5);
    for (std::size_t at = 0; at < w.bytes.size();) {
      std::size_t end = std::min(w.bytes.size(), at + 1 + random.below(40));
      follow(f, w, at, end);
      at = end;
    }
  }
}

TEST_CASE("the longest HTTP/2 frame does not overflow") {
  H2Frames f(0);
  f.feed({"\xff\xff\xff\1\4\0\0\0\1", 9});
  f.feed(std::string(0xfffffe, '\1'));
  CHECK(f.in_block());
  f.feed("\1");
  CHECK_FALSE(f.in_block());
  CHECK(f.blocks() == 1);
}

// ---- budgets ----

namespace {

// How many are granted at `now`, to `most`.
int granted(Budget& b, Nanos now, int most = 1000) {
  int n = 0;
  while (n < most && b.take(now)) ++n;
  return n;
}

}  // namespace

TEST_CASE("a budget is its burst, then its rate") {
  Budget b(10, 4);
  CHECK(granted(b, kSecond, 10) == 10);
  Budget empty(0, 4);
  CHECK_FALSE(empty.take(kSecond));
  // A quarter of a second brings one.
  for (Nanos now = kSecond + 250 * kMilli; now < 20 * kSecond; now += 250 * kMilli) REQUIRE(b.take(now));
  CHECK_FALSE(b.take(20 * kSecond - 250 * kMilli));
}

TEST_CASE("a budget fills to its burst and not beyond") {
  Budget b(10, 4);
  REQUIRE(granted(b, kSecond, 10) == 10);
  CHECK(granted(b, 1'000'000 * kSecond) == 10);
}

TEST_CASE("a budget that has not heard the time gains nothing by its beginning") {
  Budget b(10, 4);
  REQUIRE(granted(b, 0, 10) == 10);
  CHECK_FALSE(b.take(1'000'000 * kSecond));
}

TEST_CASE("a budget takes no notice of time that stands or goes back") {
  Budget b(2, 1);
  REQUIRE(granted(b, 10 * kSecond, 2) == 2);
  CHECK_FALSE(b.take(5 * kSecond));
  CHECK_FALSE(b.take(10 * kSecond));
  CHECK(b.take(13 * kSecond));
}

TEST_CASE("what is given back can be taken again, to the burst") {
  Budget b(3, 0);
  for (int i = 0; i < 100; ++i) b.give();
  CHECK(granted(b, kSecond, 3) == 3);
  for (int i = 0; i < 100; ++i) {
    b.give();
    REQUIRE(b.take(kSecond));
  }
  CHECK_FALSE(b.take(kSecond));
}

}  // namespace albatross::http_test
