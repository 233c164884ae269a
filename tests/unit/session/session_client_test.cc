// A connection to a server: one request at a time, reuse, and what ends it.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/session/session_fixture.h"

namespace albatross::session_test {

TEST_CASE("a client's connection serves request after request") {
  ClientFixture f;
  f.release_at_end();
  auto wire = std::make_shared<Wire>();
  wire->opens_again = 1;
  f.start(wire);
  f.wire->take(0);
  f.turns();
  CHECK(f.heard() == "open;");
  for (int i = 0; i < 3; ++i) {
    CHECK(f.session->reusable());
    f.request();
    f.turns();
    CHECK_FALSE(f.session->reusable());
    CHECK(f.wire->received() == "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    f.send(kOk);
    CHECK(f.heard() == "head 200;data ok;end;idle;");
  }
}

TEST_CASE("a response in pieces of a byte is the same response") {
  ClientFixture f;
  f.release_at_end();
  f.start();
  f.wire->max_read = f.wire->max_write = 1;
  f.request("POST", 5).send_data("hello");
  f.stream = nullptr;
  f.turns(100);
  CHECK(f.wire->received() == "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_CASE("the server's patience is remembered") {
  ClientFixture f;
  f.release_at_end();
  f.start();
  f.request();
  f.send("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=7\r\nContent-Length: 0\r\n\r\n");
  CHECK(f.session->peer_keep_alive() == 7);
}

TEST_CASE("a server that says close is not used again") {
  for (const char* bytes :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 204 x\r\nConnection: close\r\n\r\n"}) {
    ClientFixture f;
    f.release_at_end();
    f.start();
    f.request();
    f.send(bytes);
    CHECK(f.heard().ends_with("closed;"));
    CHECK(f.closes == 1);
  }
}

TEST_CASE("bytes or an end on an idle connection close it") {
  for (int what = 0; what < 3; ++what) {
    ClientFixture f;
    f.start();
    if (what == 0) f.wire->send("x");
    if (what == 1) f.wire->finish();
    if (what == 2) f.wire->reset();
    CHECK_FALSE(f.session->reusable());
    f.turns();
    CHECK(f.heard() == "open;closed;");
  }
}

TEST_CASE("bytes behind a response are nobody's answer and close the connection") {
  const std::string answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                                 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                                 "HTTP/1.1 204 No Content\r\n\r\n",
                                 "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n"};
  const std::string extras[] = {"x",
                                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
                                "HTTP/1.1 100 Continue\r\n\r\n",
                                "\r\n",
                                "HTTP/1.1 2",
                                std::string(40'000, 'x')};
  for (const std::string& answer : answers) {
    for (const std::string& extra : extras) {
      CAPTURE(answer, extra.substr(0, 50));
      ClientFixture f;
      f.release_at_end();
      f.start();
      f.request();
      f.send(answer + extra);
      CHECK(f.closes == 1);
      CHECK(f.heard().find("head 200;data evil") == std::string::npos);
      CHECK(f.heard().find("head 100") == std::string::npos);
    }
  }
}

TEST_CASE("a stream that is released inside its body closes the connection") {
  ClientFixture f;
  f.when_head = [](Stream& s, Head&, bool) { s.release(); };
  f.start();
  f.request();
  f.send(std::string(kOk) + kOk);
  CHECK(f.heard() == "open;head 200;closed;");
}

TEST_CASE("a stream that is reset inside its body closes the connection") {
  ClientFixture f;
  f.when_data = [](Stream& s, std::string_view) { s.reset(); };
  f.start();
  f.request();
  f.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\r\nok\r\n0\r\n\r\n");
  CHECK(f.heard() == "open;head 200;data ok;closed;");
}

TEST_CASE("a server that closes before it says anything may be asked again") {
  for (bool reset : {false, true}) {
    ClientFixture f;
    f.start();
    f.request();
    f.turns();
    reset ? f.wire->reset() : f.wire->finish();
    f.turns();
    CHECK(f.heard() == (reset ? "open;reset upstream_reset;closed upstream_reset;"
                              : "open;reset upstream_closed;closed upstream_closed;"));
    CHECK(f.reset_error.retry == RetrySafety::kOnlyIfReused);
    CHECK(f.reset_error.source == Source::kUpstream);
  }
}

TEST_CASE("a server that closes after a byte of an answer is not asked again") {
  for (const char* part :
       {"H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 2"}) {
    for (bool reset : {false, true}) {
      CAPTURE(part, reset);
      ClientFixture f;
      f.start();
      f.request();
      f.send(part);
      reset ? f.wire->reset() : f.wire->finish();
      f.turns();
      CHECK(f.closes == 1);
      CHECK(f.stream_ends == 1);
      CHECK(f.reset_error.retry == RetrySafety::kNever);
    }
  }
}

TEST_CASE("a truncated answer is never a whole one") {
  for (const char* part :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n"}) {
    for (bool reset : {false, true}) {
      CAPTURE(part, reset);
      ClientFixture f;
      f.start();
      f.request();
      f.send(part);
      reset ? f.wire->reset() : f.wire->finish();
      f.turns();
      CHECK(f.reset_error.cause == Cause::kUpstreamTruncated);
      CHECK(f.reset_error.retry == RetrySafety::kNever);
      CHECK(f.heard().find(";end;") == std::string::npos);
    }
  }
  ClientFixture f;
  f.start();
  f.request();
  f.send("HTTP/1.1 200 OK\r\n\r\nuntil close");
  f.wire->reset();
  f.turns();
  CHECK(f.reset_error.cause == Cause::kUpstreamTruncated);
}

TEST_CASE("a body without framing ends with the connection") {
  ClientFixture f;
  f.release_at_end();
  f.start();
  f.request();
  f.send("HTTP/1.1 200 OK\r\n\r\nhello");
  f.wire->send(" world");
  f.wire->finish();
  f.turns();
  CHECK(f.heard() == "open;head 200;data hello world;end;closed;");
}

TEST_CASE("a malformed answer ends the connection") {
  ClientFixture f;
  f.start();
  f.request();
  f.send("HTTP/1.1 2000 OK\r\n\r\n");
  CHECK(f.heard() == "open;reset upstream_malformed;closed upstream_malformed;");
  CHECK(f.reset_error.retry == RetrySafety::kNever);
}

TEST_CASE("informational answers are passed on, a storm of them is not") {
  ClientFixture f;
  f.release_at_end();
  f.start();
  f.request();
  f.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
  f.send(kOk);
  CHECK(f.heard() == "open;head 100;head 103;head 200;data ok;end;idle;");
  f.request();
  std::string storm;
  for (int i = 0; i < 1000; ++i) storm += "HTTP/1.1 102 Processing\r\n\r\n";
  f.send(storm);
  CHECK(f.heard().ends_with("reset upstream_malformed;closed upstream_malformed;"));
}

TEST_CASE("an answer is read although the request could not be written") {
  ClientFixture f;
  f.release_at_end();
  f.start();
  f.wire->room = 0;
  Stream& s = f.request("POST", 1'000'000);
  std::string part(50'000, 'x');
  s.send_data(part);
  f.turns();
  CHECK(f.sent == 0);
  f.wire->write_broken = true;
  f.wire->take(10);
  f.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
  CHECK(f.sent == 50'000);  // credit comes back, or a pump would wait for ever
  CHECK(f.heard() == "open;head 413;data no;end;closed;");
  CHECK(f.closes == 1);
}

TEST_CASE("a request that cannot be written and has no answer is cut when the server's end comes") {
  ClientFixture f;
  f.start();
  f.wire->room = 0;
  f.request("POST", 1'000'000).send_data("x");
  f.turns();
  f.wire->write_broken = true;
  f.wire->take(10);
  f.turns();
  f.wire->finish();
  f.turns();
  CHECK(f.closes == 1);
  CHECK(f.stream_ends == 1);
}

TEST_CASE("a connection that cannot be opened says why") {
  for (auto [error, cause] : {std::pair{ECONNREFUSED, Cause::kConnectRefused},
                              {ECONNRESET, Cause::kConnectRefused},
                              {ETIMEDOUT, Cause::kConnectTimeout},
                              {EHOSTUNREACH, Cause::kConnectFailed},
                              {ENETUNREACH, Cause::kConnectFailed},
                              {0, Cause::kUpstreamTls}}) {
    ClientFixture f;
    auto wire = std::make_shared<Wire>();
    wire->open_error = error;
    f.start(wire);
    CHECK(f.closes == 1);
    CHECK(f.closed_error.cause == cause);
    CHECK(f.closed_error.retry == RetrySafety::kSafe);
  }
}

}  // namespace albatross::session_test
