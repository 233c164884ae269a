// After a 101 both directions are verbatim, each ends alone, and bytes that came early are kept.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/session/session_fixture.h"

namespace albatross::session_test {
namespace {

constexpr const char* kAsk = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
constexpr const char* kYes = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

void accept(Stream& s, Arena& arena) {
  Head h;
  h.fields = Fields(arena);
  h.status = 101;
  h.upgrade = true;
  s.send_head(h, false);
  s.start_tunnel();
}

struct Tunnel : ServerFixture {
  explicit Tunnel(std::string_view early = {}) {
    auto_answer = false;
    start();
    send(std::string(kAsk) + std::string(early));
    CHECK(heard() == "open;head GET /ws end;");
    accept(*stream, arena());
    turns();
    CHECK(wire->received() == kYes);
  }
};

}  // namespace

TEST_CASE("a tunnel carries bytes both ways as they are") {
  Tunnel f;
  f.send("GET / HTTP/1.1\r\n\r\n");
  f.stream->send_data("5\r\nhello");
  f.turns();
  CHECK(f.heard() == "data GET / HTTP/1.1\r\n\r\n;");
  CHECK(f.wire->received() == "5\r\nhello");
  f.pass(100 * kSecond);  // its idle time is the exchange's
  CHECK(f.closes == 0);
}

TEST_CASE("bytes that a client sent before the 101 come after it") {
  Tunnel f("early");
  CHECK(f.heard() == "data early;");
  f.send("late");
  CHECK(f.heard() == "data late;");
}

TEST_CASE("a tunnel whose client ends its direction still carries the other") {
  Tunnel f;
  f.wire->send("last");
  f.wire->finish();
  f.turns();
  CHECK(f.heard() == "data last;end;");
  CHECK(f.closes == 0);
  f.stream->send_data("answer");
  f.turns();
  CHECK(f.wire->received() == "answer");
  CHECK_FALSE(f.wire->shut);
  f.stream->send_end(nullptr);
  f.turns();
  CHECK(f.heard() == "finished;closed;");
  CHECK_FALSE(f.wire->aborted);
}

TEST_CASE("a tunnel whose server ends its direction still carries the other") {
  Tunnel f;
  f.stream->send_data("last");
  f.stream->send_end(nullptr);
  f.turns();
  CHECK(f.wire->received() == "last");
  CHECK(f.wire->shut);
  CHECK(f.closes == 0);
  f.send("more");
  CHECK(f.heard() == "data more;");
  f.wire->finish();
  f.turns();
  CHECK(f.heard() == "end;finished;closed;");
}

TEST_CASE("a tunnel does not read while bytes are owed") {
  Tunnel f;
  f.consume = false;
  f.send("one");
  f.send("two");
  CHECK(f.heard() == "data one;");
  f.stream->consume(3);
  f.turns();
  CHECK(f.heard() == "data two;");
}

TEST_CASE("a tunnel's end waits for what is still owed") {
  Tunnel f;
  f.consume = false;
  f.wire->send("one");
  f.turns();
  f.wire->send("two");
  f.wire->finish();
  f.turns();
  CHECK(f.heard() == "data one;");
  f.stream->consume(3);
  f.turns();
  CHECK(f.heard() == "data two;");
  f.stream->consume(3);
  f.turns();
  CHECK(f.heard() == "end;");
}

TEST_CASE("a tunnel that is reset is over at once") {
  Tunnel f;
  f.wire->reset();
  f.turns();
  CHECK(f.closes == 1);
  CHECK(f.stream_ends == 1);
}

TEST_CASE("a tunnel to a server carries bytes both ways and ends each way alone") {
  ClientFixture f;
  f.start();
  Stream& s = f.request("GET", 0, true);
  f.when_head = [](Stream& t, Head& h, bool) {
    if (h.status == 101) t.start_tunnel();
  };
  f.send(std::string(kYes) + "first");
  CHECK(f.heard() == "open;head 101;data first;");
  f.wire->received();
  s.send_data("to server");
  f.turns();
  CHECK(f.wire->received() == "to server");
  s.send_end(nullptr);
  f.turns();
  CHECK(f.wire->shut);
  f.send("still");
  CHECK(f.heard() == "data still;");
  f.wire->finish();
  f.turns();
  CHECK(f.heard() == "end;");
  f.stream->release();
  f.turns();
  CHECK(f.heard() == "closed;");
}

TEST_CASE("an upgrade that is declined leaves an ordinary connection") {
  ServerFixture f;
  f.start();
  f.send(std::string(kAsk) + kGet);
  CHECK(f.heard() == "open;head GET /ws end;finished;head GET / end;finished;");
  ClientFixture c;
  c.release_at_end();
  c.start();
  c.request("GET", 0, true);
  c.send(kOk);
  CHECK(c.heard() == "open;head 200;data ok;end;idle;");
}

}  // namespace albatross::session_test
