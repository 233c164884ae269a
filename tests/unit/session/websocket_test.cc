#include "session/websocket.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "base/siphash.h"

namespace albatross::session_test {
namespace {

std::string frame(std::uint64_t size, bool masked, int opcode = 2, bool fin = true) {
  std::string out(1, static_cast<char>((fin ? 0x80 : 0) | opcode));
  int mask = masked ? 0x80 : 0;
  auto number = [&](int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i));
  };
  if (size < 126) {
    out += static_cast<char>(mask | static_cast<int>(size));
  } else if (size <= 0xffff) {
    out += static_cast<char>(mask | 126);
    number(2);
  } else {
    out += static_cast<char>(mask | 127);
    number(8);
  }
  if (masked) out += "mask";
  return out + std::string(static_cast<std::size_t>(size), '\x88');  // looks like a close frame
}

// Ends of frames in a stream of them.
struct Stream {
  std::string bytes;
  std::vector<bool> boundary{true};
  void add(const std::string& f) {
    bytes += f;
    boundary.resize(bytes.size() + 1, false);
    boundary.back() = true;
  }
};

Stream mixed() {
  Stream s;
  for (bool masked : {false, true}) {
    for (std::uint64_t size : {0, 1, 2, 125, 126, 127, 300, 65535, 65536}) s.add(frame(size, masked));
    s.add(frame(3, masked, 1, false));
    s.add(frame(3, masked, 0, true));
    s.add(frame(4, masked, 9));
  }
  return s;
}

}  // namespace

TEST_CASE("frame boundaries are known at every byte") {
  Stream s = mixed();
  FrameTracker t;
  CHECK(t.at_boundary());
  for (std::size_t i = 0; i < s.bytes.size(); ++i) {
    t.feed({s.bytes.data() + i, 1});
    if (t.at_boundary() != s.boundary[i + 1]) FAIL("after byte " << i);
  }
  CHECK_FALSE(t.closed());
}

TEST_CASE("cutting frames anywhere changes no boundary") {
  Stream s;
  for (std::uint64_t size : {0, 5, 126, 130}) s.add(frame(size, true)), s.add(frame(size, false));
  for (std::size_t cut = 0; cut <= s.bytes.size(); ++cut) {
    FrameTracker t;
    t.feed(std::string_view(s.bytes).substr(0, cut));
    if (t.at_boundary() != s.boundary[cut]) FAIL("cut at " << cut);
    std::string_view rest = std::string_view(s.bytes).substr(cut);
    std::size_t n = t.until_boundary(rest);
    std::size_t expected = 0;
    while (!s.boundary[cut + expected]) ++expected;
    if (n != expected) FAIL("cut at " << cut << " says " << n << ", not " << expected);
    t.feed(rest);
    CHECK(t.at_boundary());
  }
  Random random(5);
  Stream m = mixed();
  for (int round = 0; round < 100; ++round) {
    FrameTracker t;
    for (std::size_t at = 0; at < m.bytes.size();) {
      std::size_t n = std::min<std::size_t>(m.bytes.size() - at, 1 + random.below(5000));
      t.feed({m.bytes.data() + at, n});
      at += n;
      REQUIRE(t.at_boundary() == m.boundary[at]);
    }
  }
}

TEST_CASE("a frame that goes on beyond the bytes takes them all") {
  std::string whole = frame(1000, true);
  FrameTracker t;
  t.feed({whole.data(), 1});
  CHECK(t.until_boundary({whole.data() + 1, 3}) == 3);
  CHECK(t.until_boundary(std::string_view(whole).substr(1)) == whole.size() - 1);
  CHECK(t.until_boundary(whole.substr(1) + "\x81\x01x") == whole.size() - 1);
  CHECK_FALSE(t.at_boundary());  // asking moves nothing
}

TEST_CASE("the longest frame does not overflow") {
  std::string head("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
  FrameTracker t;
  t.feed(head + std::string(1000, 'x'));
  CHECK_FALSE(t.at_boundary());
  CHECK(t.until_boundary("more") == 4);
}

TEST_CASE("the peer's own close frame is noticed, payload that looks like one is not") {
  for (bool masked : {false, true}) {
    FrameTracker t;
    t.feed(frame(500, masked, 2));
    CHECK_FALSE(t.closed());
    std::string close = frame(2, masked, 8);
    for (char c : close) t.feed({&c, 1});
    CHECK(t.closed());
    CHECK(t.at_boundary());
  }
}

TEST_CASE("going away is a whole close frame with code 1001") {
  char out[8];
  CHECK(std::string(out, write_going_away(false, out)) == std::string("\x88\x02\x03\xe9"));
  CHECK(std::string(out, write_going_away(true, out)) == std::string("\x88\x82\0\0\0\0\x03\xe9", 8));
  FrameTracker t;
  t.feed({out, 8});
  CHECK(t.closed());
  CHECK(t.at_boundary());
}

}  // namespace albatross::session_test
