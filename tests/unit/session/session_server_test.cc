// A client's connection: requests in, answers out, in order and under back-pressure.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/session/session_fixture.h"

namespace albatross::session_test {

TEST_CASE("a server answers request after request on one connection") {
  ServerFixture f;
  f.start();
  CHECK(f.heard() == "open;");
  for (int i = 0; i < 3; ++i) {
    f.send(kGet);
    CHECK(f.heard() == "head GET / end;finished;");
    CHECK(f.wire->received() == kOk);
    CHECK(f.session->idle());
  }
  CHECK(f.streams == 3);
  CHECK(f.loop.blocks().outstanding() == 0);
  f.wire->finish();
  f.turns();
  CHECK(f.heard() == "closed;");
  CHECK_FALSE(f.wire->aborted);
}

TEST_CASE("a request in pieces of a byte is the same request") {
  ServerFixture f;
  f.start();
  f.wire->max_read = f.wire->max_write = 1;
  f.send("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n");
  f.turns(300);
  CHECK(f.heard() == "open;head POST /p;data hello;end with trailers;finished;");
  CHECK(f.wire->received() == kOk);
  CHECK(f.session->idle());
}

TEST_CASE("pipelined requests wait for their turn") {
  ServerFixture f;
  f.auto_answer = false;
  f.start();
  f.send(std::string(kGet) +
         "GET /2 HTTP/1.1\r\nHost: a\r\n\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /4 HT");
  CHECK(f.heard() == "open;head GET / end;");
  f.answer(*f.stream, 200, "1");
  f.turns();
  CHECK(f.heard() == "finished;head GET /2 end;");
  f.answer(*f.stream, 200, "2");
  f.turns();
  CHECK(f.heard() == "finished;head POST /3;data hi;end;");
  f.answer(*f.stream, 200, "3");
  f.turns();
  CHECK(f.heard() == "finished;");
  f.send("TP/1.1\r\nHost: a\r\n\r\n");
  CHECK(f.heard() == "head GET /4 end;");
  f.answer(*f.stream, 200, "4");
  f.turns();
  std::string all = f.wire->received();
  CHECK(all.size() == 4 * (std::string_view(kOk).size() - 1));
  CHECK(all.ends_with("\r\n\r\n4"));
}

TEST_CASE("nothing more is read while bytes of a body are owed") {
  ServerFixture f;
  f.consume = false;
  f.start();
  std::string body(200'000, 'x');
  f.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
  f.wire->send(body);
  f.turns();
  std::size_t got = f.body.size();
  CHECK(got > 0);
  CHECK(got <= 64 * 1024);
  int reads = f.wire->reads;
  f.turns(20);
  CHECK(f.wire->reads == reads);
  f.stream->consume(got - 1);
  f.turns();
  CHECK(f.body.size() == got);
  std::size_t consumed = got - 1;
  for (int i = 0; i < 1000 && f.stream != nullptr && consumed < body.size(); ++i) {
    std::size_t n = f.body.size() - consumed;
    consumed += n;
    f.stream->consume(n);
    f.turns(2);
  }
  f.turns();
  CHECK(f.body == body);
  CHECK(f.wire->received() == kOk);
}

TEST_CASE("credit for an answer comes back when its bytes have left") {
  ServerFixture f;
  f.auto_answer = false;
  auto wire = std::make_shared<Wire>();
  f.start(wire);
  f.send(kGet);
  wire->room = 100;
  std::string body(100'000, 'y');
  Head h;
  Arena arena;
  h.fields = Fields(arena);
  h.status = 200;
  h.body = {BodyLength::Kind::kLength, body.size()};
  f.stream->send_head(h, false);
  f.stream->send_data(body);
  f.turns();
  CHECK(f.sent == 0);
  body.assign(body.size(), '!');  // the session owns its copy by now
  for (int i = 0; i < 200 && f.sent == 0; ++i) {
    wire->take(1000);
    f.turns(2);
  }
  CHECK(f.sent == 100'000);
  // What is still inside when credit is given is little.
  CHECK(wire->from_session.size() > 80'000);
  f.stream->send_end(nullptr);
  wire->take(1'000'000);
  f.turns();
  CHECK(f.heard() == "open;head GET / end;finished;");
  std::string all = wire->received();
  CHECK(all.substr(all.find("\r\n\r\n") + 4) == std::string(100'000, 'y'));
  CHECK(f.loop.blocks().outstanding() == 0);
}

TEST_CASE("a transport that holds bytes back delays the end of the answer") {
  ServerFixture f;
  auto wire = std::make_shared<Wire>();
  wire->hold_back = true;
  wire->room = 10;
  f.start(wire);
  f.send(kGet);
  CHECK(f.heard() == "open;head GET / end;");
  wire->take(1000);
  f.turns();
  CHECK(f.heard() == "finished;");
  CHECK(wire->received() == kOk);
}

TEST_CASE("a malformed request is answered, nothing more is read as a request, and the connection closes") {
  for (const char* bytes : {"GET / HTTP/1.1\r\n\r\n", "x\r\n\r\n",
                            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    ServerFixture f;
    f.start();
    f.send(std::string(bytes) + kGet);
    CHECK(f.heard().find("refused malformed_request;finished;") != std::string::npos);
    CHECK(f.streams == 1);
    CHECK(f.wire->received() == "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    CHECK(f.wire->shut);
    CHECK_FALSE(f.wire->closed);
    f.send(kGet);
    CHECK(f.streams == 1);
    f.wire->finish();
    f.turns();
    CHECK(f.heard() == "closed;");
    CHECK_FALSE(f.wire->aborted);
  }
}

TEST_CASE("an answer before the whole request closes the connection without resetting it") {
  ServerFixture f;
  f.auto_answer = false;
  f.start();
  f.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
  f.answer(*f.stream, 413, "no", false);
  f.turns();
  CHECK(f.wire->shut);
  CHECK_FALSE(f.wire->closed);
  f.send(std::string(50'000, 'x') + kGet);
  CHECK_FALSE(f.wire->closed);
  CHECK(f.streams == 1);
  f.send(std::string(50'000, 'x'));  // more than is discarded
  CHECK(f.wire->closed);
}

TEST_CASE("a client that leaves after its request cancels it, unless half-close is its way") {
  for (bool half : {false, true}) {
    ServerFixture f;
    f.auto_answer = false;
    f.start();
    f.settings.half_close = half;
    f.wire->send(kGet);
    f.wire->finish();
    f.turns();
    if (!half) {
      CHECK(f.heard() == "open;head GET / end;reset client_left;closed client_left;");
      continue;
    }
    CHECK(f.heard() == "open;head GET / end;");
    f.answer(*f.stream, 200, "ok");
    f.turns();
    CHECK(f.wire->received() == kOk);
    CHECK(f.heard() == "finished;closed;");
  }
}

TEST_CASE("a client that leaves inside its request cancels it") {
  for (bool half : {false, true}) {
    for (const char* part : {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
                             "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}) {
      ServerFixture f;
      f.start();
      f.settings.half_close = half;
      f.wire->send(part);
      f.wire->finish();
      f.turns();
      CHECK(f.heard().ends_with(";reset client_left;closed client_left;"));
      CHECK(f.wire->received().empty());
    }
  }
}

TEST_CASE("a reset connection ends its stream once") {
  for (const char* part : {"", "GET / HT", kGet, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"}) {
    ServerFixture f;
    f.auto_answer = false;
    f.start();
    f.send(part);
    f.wire->reset();
    f.turns();
    CHECK(f.closes == 1);
    CHECK(f.stream_ends == f.streams);
  }
}

TEST_CASE("a stream that is reset inside an answer without a length cuts the connection visibly") {
  ServerFixture f;
  f.auto_answer = false;
  f.start();
  f.send("GET / HTTP/1.0\r\n\r\n");
  Head h;
  Arena arena;
  h.fields = Fields(arena);
  h.status = 200;
  h.body = {BodyLength::Kind::kUntilClose, 0};
  h.keep_alive = false;
  f.stream->send_head(h, false);
  f.stream->send_data("part");
  f.turns();
  f.stream->reset();
  f.turns();
  CHECK(f.wire->closed);
  CHECK(f.wire->aborted);
}

}  // namespace albatross::session_test
