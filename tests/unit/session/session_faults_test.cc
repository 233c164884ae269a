// Whatever operation fails, and however reads and writes are cut: every stream and every session ends exactly once.
#include <catch2/catch_test_macros.hpp>

#include "base/siphash.h"
#include "tests/unit/session/session_fixture.h"

namespace albatross::session_test {
namespace {

const std::string kUpload =
    "POST /u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\nX: y\r\n\r\n";

// Three requests, the last one malformed.
void drive_server(ServerFixture& f) {
  f.send(kGet);
  f.send(kUpload.substr(0, 70));
  f.send(kUpload.substr(70) + kGet);
  f.send("bad\r\n\r\n");
  f.wire->finish();
  f.turns();
}

void drive_client(ClientFixture& f) {
  for (int i = 0; i < 2 && f.session != nullptr && f.session->can_open(); ++i) {
    Stream& s = f.request("POST", 11);
    s.send_data("hello ");
    f.turns();
    if (f.session == nullptr) return;
    s.send_data("world");
    s.send_end(nullptr);
    f.turns();
    f.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    f.send("lo\r\n0\r\n\r\n");
  }
  f.wire->finish();
  f.turns();
}

}  // namespace

TEST_CASE("a server's session survives the failure of any operation") {
  for (int slow = 0; slow < 3; ++slow) {
    for (int n = 1;; ++n) {
      CAPTURE(slow, n);
      REQUIRE(n < 2000);
      ServerFixture f;
      auto wire = std::make_shared<Wire>();
      wire->fail_at = n;
      if (slow > 0) wire->max_read = slow == 1 ? 1 : 13, wire->max_write = slow == 1 ? 3 : 1;
      f.start(wire);
      drive_server(f);
      f.turns(600);
      REQUIRE(f.closes == 1);
      REQUIRE(f.stream_ends == f.streams);
      REQUIRE(wire->closed);
      REQUIRE(f.loop.blocks().outstanding() == 0);
      if (wire->operations >= n) continue;
      CHECK(f.streams == 4);
      CHECK(f.body == "hello, world");
      break;
    }
  }
}

TEST_CASE("a session to a server survives the failure of any operation") {
  for (int slow = 0; slow < 2; ++slow) {
    for (int n = 1;; ++n) {
      CAPTURE(slow, n);
      REQUIRE(n < 2000);
      ClientFixture f;
      f.release_at_end();
      auto wire = std::make_shared<Wire>();
      wire->fail_at = n;
      if (slow > 0) wire->max_read = 1, wire->max_write = 3;
      f.start(wire);
      drive_client(f);
      f.turns(300);
      REQUIRE(f.closes == 1);
      REQUIRE(f.stream_ends <= 1);
      REQUIRE(f.loop.blocks().outstanding() == 0);
      if (wire->operations >= n) continue;
      if (slow == 0) CHECK(f.body == "hellohello");
      CHECK(f.stream_ends == 0);
      break;
    }
  }
}

TEST_CASE("however a conversation is cut and slowed down, it is the same") {
  std::string expected, expected_log;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Random random(seed * 2 + 1);
    ServerFixture f;
    f.reply = std::string(3000, 'r');
    auto wire = std::make_shared<Wire>();
    if (seed > 0) {
      wire->max_read = 1 + random.below(200);
      wire->max_write = 1 + random.below(500);
      wire->hold_back = random.below(3) == 0;
      wire->room = random.below(100);
    }
    f.start(wire);
    std::string all = std::string(kGet) + kUpload + kGet + kUpload;
    while (!all.empty()) {
      std::size_t n = seed == 0 ? all.size() : std::min<std::size_t>(all.size(), 1 + random.below(60));
      wire->send(all.substr(0, n));
      all.erase(0, n);
      f.turns(seed == 0 ? 100 : 2);
      wire->take(random.below(2000));
    }
    for (int i = 0; i < 3000 && f.stream_ends < 4; ++i) {
      wire->take(1000);
      f.turns(1);
    }
    f.turns(50);
    REQUIRE(f.session->idle());
    if (seed == 0) expected = wire->from_session, expected_log = f.log;
    CHECK(wire->from_session == expected);
    CHECK(f.log == expected_log);
    CHECK(f.sent == 4 * 3000);
    CHECK(f.loop.blocks().outstanding() == 0);
  }
}

TEST_CASE("cutting a session from outside ends its stream and itself once") {
  ServerFixture f;
  f.auto_answer = false;
  f.start();
  f.send(kGet);
  f.session->fail({Cause::kDrainCut, Source::kInternal, RetrySafety::kNever, 0, nullptr}, true);
  f.turns();
  CHECK(f.heard() == "open;head GET / end;reset drain_cut;closed drain_cut;");
  CHECK(f.wire->aborted);
  CHECK(f.closes == 1);
}

TEST_CASE("cutting a session inside any of its events is safe") {
  for (int where = 0; where < 4; ++where) {
    CAPTURE(where);
    ServerFixture f;
    auto cut = [&](Stream& s) {
      s.connection().fail({Cause::kInternal, Source::kInternal, RetrySafety::kNever, 0, nullptr});
    };
    if (where == 0) f.when_head = [&](Stream& s, Head&, bool) { cut(s); };
    if (where == 1) f.when_data = [&](Stream& s, std::string_view) { cut(s); };
    if (where == 2) f.when_end = cut;
    if (where == 3) f.when_sent = [&](Stream& s, std::size_t) { cut(s); };
    f.start();
    f.send(kUpload + kUpload + kGet);
    CHECK(f.closes == 1);
    CHECK(f.stream_ends == f.streams);
    CHECK(f.streams == 1);
  }
}

TEST_CASE("a thousand connections leave no block behind") {
  ServerFixture f;
  for (int i = 0; i < 1000; ++i) {
    f.start();
    f.wire->room = 10;
    f.send(kUpload);
    f.session->fail(Error{}, i % 2 == 0);
    f.turns(2);
  }
  CHECK(f.closes == 1000);
  CHECK(f.loop.blocks().outstanding() == 0);
}

}  // namespace albatross::session_test
