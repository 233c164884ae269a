// Every deadline of a connection, under a manual clock.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/session/session_fixture.h"

namespace albatross::session_test {

TEST_CASE("a handshake that takes too long ends the connection") {
  ServerFixture f;
  auto wire = std::make_shared<Wire>();
  wire->opens_again = 1'000'000;
  f.start(wire);
  f.pass(9900 * kMilli);
  CHECK(f.closes == 0);
  f.pass(200 * kMilli);
  CHECK(f.heard() == "closed handshake_failed;");
}

TEST_CASE("a connect that takes too long is the server's timeout and safe to try elsewhere") {
  ClientFixture f;
  auto wire = std::make_shared<Wire>();
  wire->opens_again = 1'000'000;
  f.start(wire);
  f.pass(10'100 * kMilli);
  CHECK(f.heard() == "closed connect_timeout;");
  CHECK(f.closed_error.retry == RetrySafety::kSafe);
}

TEST_CASE("a client's connection is closed after its idle time, counted from the last answer") {
  ServerFixture f;
  f.start();
  f.pass(14'900 * kMilli);
  f.send(kGet);
  CHECK(f.heard() == "open;head GET / end;finished;");
  f.pass(14'900 * kMilli);
  CHECK(f.closes == 0);
  f.pass(200 * kMilli);
  CHECK(f.closes == 1);
  CHECK_FALSE(f.wire->aborted);
}

TEST_CASE("the idle time does not run while an answer is awaited") {
  ServerFixture f;
  f.auto_answer = false;
  f.start();
  f.send(kGet);
  f.pass(100 * kSecond);
  CHECK(f.closes == 0);
}

TEST_CASE("a head that drips is refused in time, however often a byte comes") {
  ServerFixture f;
  f.start();
  f.pass(14 * kSecond);
  f.send("G");
  for (char c : std::string_view("ET / HT")) {
    f.pass(1300 * kMilli);
    f.send({&c, 1});
  }
  CHECK(f.closes == 0);
  CHECK(f.streams == 0);
  f.pass(1000 * kMilli);
  CHECK(f.heard() == "open;refused head_timeout;finished;");
  CHECK(f.wire->received().starts_with("HTTP/1.1 408 "));
  f.pass(2100 * kMilli);
  CHECK(f.heard() == "closed;");
}

TEST_CASE("a head in time starts no refusal, and its body has no deadline here") {
  ServerFixture f;
  f.start();
  f.send("POST / HTTP/1.1\r\nHost: a\r\n");
  f.pass(9900 * kMilli);
  f.send("Content-Length: 2\r\n\r\n");
  f.pass(100 * kSecond);
  CHECK(f.heard() == "open;head POST /;");
  f.send("hi");
  CHECK(f.heard() == "data hi;end;finished;");
}

TEST_CASE("a second head on the same connection has its own deadline") {
  ServerFixture f;
  f.start();
  f.send(std::string(kGet) + "GET / ");
  CHECK(f.heard() == "open;head GET / end;finished;");
  f.pass(9900 * kMilli);
  CHECK(f.closes == 0);
  f.pass(200 * kMilli);
  CHECK(f.heard() == "refused head_timeout;finished;");
}

TEST_CASE("a client that reads nothing is cut, one that reads slowly is not") {
  ServerFixture f;
  f.reply = std::string(100'000, 'x');
  auto wire = std::make_shared<Wire>();
  wire->room = 1000;
  f.start(wire);
  f.send(kGet);
  for (int i = 0; i < 10; ++i) {
    f.pass(50 * kSecond);
    CHECK(f.closes == 0);
    wire->take(1000);
    f.turns();
  }
  f.pass(61 * kSecond);
  CHECK(f.heard() == "open;head GET / end;reset send_timeout;closed send_timeout;");
  CHECK(wire->aborted);
}

TEST_CASE("bytes that the transport holds back count as unread") {
  ServerFixture f;
  auto wire = std::make_shared<Wire>();
  wire->hold_back = true;
  wire->room = 10;
  f.start(wire);
  f.send(kGet);
  f.pass(61 * kSecond);
  CHECK(f.closes == 1);
  CHECK(f.closed_error.cause == Cause::kSendTimeout);
}

TEST_CASE("a lingering close waits two seconds for the client's end") {
  ServerFixture f;
  f.start();
  f.send("x\r\n\r\n");
  CHECK(f.wire->shut);
  f.pass(1900 * kMilli);
  CHECK(f.closes == 0);
  f.send("more");
  CHECK(f.closes == 0);
  f.pass(200 * kMilli);
  CHECK(f.closes == 1);
}

TEST_CASE("a timeout of zero never runs out") {
  ServerFixture f;
  f.timeouts.idle = f.timeouts.request_head = f.timeouts.send = 0;
  auto wire = std::make_shared<Wire>();
  f.start(wire);
  f.pass(100 * kSecond);
  f.send("GET ");
  f.pass(100 * kSecond);
  CHECK(f.heard() == "open;");
  wire->room = 0;
  f.send("/ HTTP/1.1\r\nHost: a\r\n\r\n");
  f.pass(100 * kSecond);
  CHECK(f.heard() == "head GET / end;");
}

TEST_CASE("an idle connection that drains is closed at its point of the window") {
  ServerFixture f;
  f.start();
  f.send(kGet);
  f.session->drain(f.clock.at + 3 * kSecond);
  f.pass(2900 * kMilli);
  CHECK(f.closes == 0);
  f.pass(200 * kMilli);
  CHECK(f.closes == 1);
}

TEST_CASE("an idle connection that drains still takes one request") {
  ServerFixture f;
  f.start();
  f.session->drain(f.clock.at + 3 * kSecond);
  f.pass(2 * kSecond);
  f.send(std::string(kGet) + kGet);
  CHECK(f.streams == 1);
  CHECK(f.heard() == "open;head GET / end;finished;");
  CHECK(f.wire->received() == kOk);
  f.pass(3 * kSecond);
  CHECK(f.closes == 1);
}

TEST_CASE("a busy connection that drains finishes its answer first") {
  ServerFixture f;
  f.auto_answer = false;
  f.start();
  f.send(kGet);
  f.session->drain(f.clock.at + 1 * kSecond);
  f.pass(30 * kSecond);
  CHECK(f.closes == 0);
  f.answer(*f.stream, 200, "ok", false);
  f.turns();
  CHECK(f.heard() == "open;head GET / end;finished;closed;");
  CHECK(f.wire->received().ends_with("\r\n\r\nok"));
}

TEST_CASE("an idle connection to a server is closed at its own deadline") {
  ClientFixture f;
  f.release_at_end();
  f.start();
  f.request();
  f.send(kOk);
  f.session->set_idle_deadline(f.clock.at + 5 * kSecond);
  f.pass(4900 * kMilli);
  CHECK(f.closes == 0);
  f.request();  // which a new request takes away
  f.pass(100 * kSecond);
  CHECK(f.closes == 0);
  f.send(kOk);
  f.session->set_idle_deadline(f.clock.at + 5 * kSecond);
  f.pass(5100 * kMilli);
  CHECK(f.heard().ends_with("idle;closed;"));
}

}  // namespace albatross::session_test
